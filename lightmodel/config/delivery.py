"""The sections `deploy`, `azure`, `notify` and `webhook` of `config.toml`: from a push to the service."""

from pathlib import Path

from pydantic import Field, SecretStr

from lightmodel.config.base import Section


class DeploySection(Section):
    """Where images go, and how a new one proves itself."""

    name: str = Field(
        "light-model",
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        description="Of the service on a Docker host: its containers, network and volumes are named "
        "after it; one for each table.",
    )
    port: int = Field(5001, ge=1, le=65535, description="Of the Docker host, where it answers.")
    env_file: Path | None = Field(
        None,
        description="NAME=VALUE lines for the service's environment, such as "
        "LIGHTMODEL__SERVE__API_KEYS; secrets go there.",
    )
    api_key: SecretStr | None = Field(
        None, description="For asking the service for its sample rows, where it wants keys."
    )
    ready_seconds: float = Field(
        60.0, gt=0, description="Most time for a new container to become ready."
    )
    watch_seconds: float = Field(
        60.0, ge=0, description="How long a new version is watched before the old one is removed."
    )
    keep_images: int = Field(
        3, ge=1, description="Images of the service that are kept on a Docker host for rollbacks."
    )


class AzureSection(Section):
    """App Service, for `deploy azure`; who may do it is told by AZURE_… variables, or by az login."""

    subscription: str = Field("", description="Id of the subscription.")
    resource_group: str = Field(
        "light-model", min_length=1, description="Holds all that is made there."
    )
    location: str = Field("westeurope", min_length=1, description="Region.")
    registry: str = Field(
        "",
        pattern=r"^([a-zA-Z0-9]{5,50})?$",
        description="Name of the container registry, unique in all of Azure: letters and digits.",
    )
    plan: str = Field("light-model", min_length=1, description="Name of the App Service plan.")
    sku: str = Field(
        "B1",
        pattern=r"^[A-Z][A-Za-z0-9]*$",
        description="Of the plan; from S1 on, versions are swapped without a gap.",
    )
    app: str = Field(
        "",
        pattern=r"^([a-zA-Z0-9][a-zA-Z0-9-]{0,58}[a-zA-Z0-9])?$",
        description="Name of the web app, unique in all of Azure: https://NAME.azurewebsites.net.",
    )
    start_seconds: int = Field(
        600, ge=1, le=1800, description="Most time for a new version to start and prove itself."
    )
    management: str = Field(
        "https://management.azure.com",
        pattern=r"^https://\S+$",
        description="Of Azure's management API; another one in sovereign clouds.",
    )


class NotifySection(Section):
    """Who is told when a build does not deploy, or the service does not answer."""

    urls: SecretStr | None = Field(
        None,
        description="Addresses of apprise, one a line, such as mailto://user:password@host?to=me@host "
        "or slack://…; none: only the log.",
    )
    timeout_s: float = Field(15.0, gt=0, description="Most time for telling one of them.")

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the addresses, without blank lines and comments; they hold secrets."""
        text = self.urls.get_secret_value() if self.urls else ""
        lines = (line.strip() for line in text.splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))


class WebhookSection(Section):
    """How a push at GitHub reaches Jenkins."""

    repository: str = Field(
        "", pattern=r"^([\w.-]+/[\w.-]+)?$", description="At GitHub: owner/name."
    )
    address: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Public address of Jenkins; empty: an ngrok tunnel is opened.",
    )
    target: str = Field(
        "http://localhost:8080", description="Where Jenkins listens, for the tunnel."
    )
    domain: str = Field(
        "",
        description="The tunnel's fixed address, NAME.ngrok-free.app; empty: another at each start.",
    )
    ngrok_server: str = Field(
        "", description="Host and port of ngrok's service, for accounts with an own one."
    )
    ngrok_ca: Path | None = Field(
        None,
        description="Certificates that ngrok's service is checked against; not set: ngrok's own.",
    )
    github_api: str = Field(
        "https://api.github.com",
        description="Of GitHub; https://HOST/api/v3 for an Enterprise one.",
    )
    github_token: SecretStr | None = Field(
        None, description="May read and write webhooks (classic: admin:repo_hook)."
    )
    secret: SecretStr | None = Field(
        None, description="GitHub signs its pushes with it; Jenkins has the same."
    )
    ngrok_token: SecretStr | None = Field(None, description="Authtoken of an ngrok account.")
