"""The sections `deploy` and `notify` of `config.toml`."""

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
