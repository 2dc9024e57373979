"""The sections of `config.toml` about deployments, and about what starts builds."""

from pathlib import Path

from pydantic import Field, SecretStr

from lightmodel.config.base import Section


class DeploySection(Section):
    """Where images are deployed, and how a new version is checked."""

    name: str = Field(
        "light-model",
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        description="Name of the service on a Docker host, and the prefix of its containers, network and "
        "volumes; use one for each table.",
    )
    port: int = Field(
        5001, ge=1, le=65535, description="Port of the Docker host on which the service listens."
    )
    replicas: int = Field(
        1,
        ge=1,
        le=16,
        description="Number of containers of the service on a Docker host, among which its proxy spreads "
        "the requests.",
    )
    env_file: Path | None = Field(
        None,
        description="File of NAME=VALUE lines for the service's environment, such as "
        "LIGHTMODEL__SERVE__API_KEYS=…; secrets belong there.",
    )
    api_key: SecretStr | None = Field(
        None, description="API key that the smoke test sends, if the service requires keys."
    )
    ready_timeout_s: float = Field(
        60.0, gt=0, description="Seconds within which a new container must become ready."
    )
    watch_s: float = Field(
        60.0,
        ge=0,
        description="Seconds for which a new version is watched before the old one is removed.",
    )
    keep_images: int = Field(
        3,
        ge=1,
        description="Number of images that a Docker host keeps for rollbacks, beside the live one.",
    )
    require_signature: Path | None = Field(
        None,
        description="File of a public key, such as cosign.pub; images without a valid signature by it are "
        "not deployed. Not set: signatures are not asked for.",
    )
    signatures: str = Field(
        "",
        description="Signatures of images, one on each line, as `sign` and `cosign download signature` "
        "print them.",
    )
    signing_key: SecretStr | None = Field(
        None, description="Private key with which `sign` signs: cosign's, or a PEM file of P-256."
    )
    signing_password: SecretStr | None = Field(None, description="Password of that key.")


class AzureSection(Section):
    """App Service, for `deploy azure`; credentials come from AZURE_… variables, or from az login."""

    subscription: str = Field("", description="Id of the subscription.")
    resource_group: str = Field(
        "light-model", min_length=1, description="Resource group of all resources that are created."
    )
    location: str = Field("westeurope", min_length=1, description="Azure region.")
    registry: str = Field(
        "",
        pattern=r"^([a-zA-Z0-9]{5,50})?$",
        description="Name of the container registry, unique in all of Azure: letters and digits.",
    )
    plan: str = Field("light-model", min_length=1, description="Name of the App Service plan.")
    sku: str = Field(
        "B1",
        pattern=r"^[A-Z][A-Za-z0-9]*$",
        description="SKU of the plan; from S1 on, versions are swapped without downtime.",
    )
    app: str = Field(
        "",
        pattern=r"^([a-zA-Z0-9][a-zA-Z0-9-]{0,58}[a-zA-Z0-9])?$",
        description="Name of the web app, unique in all of Azure: https://NAME.azurewebsites.net.",
    )
    start_timeout_s: int = Field(
        600,
        ge=1,
        le=1800,
        description="Seconds within which a new version must start and pass its smoke test.",
    )
    management: str = Field(
        "https://management.azure.com",
        pattern=r"^https://\S+$",
        description="URL of Azure's management API; sovereign clouds have their own.",
    )


class AwsSection(Section):
    """Lambda or an EC2 host, for `deploy aws`; credentials come from AWS_… variables or a role."""

    region: str = Field(
        "",
        pattern=r"^([a-z]{2}(-[a-z]+)+-\d+)?$",
        description="Region, such as eu-central-1; empty: AWS_DEFAULT_REGION, or that of the profile.",
    )
    repository: str = Field(
        "light-model",
        pattern=r"^[a-z0-9]+([._/-][a-z0-9]+)*$",
        description="Repository of ECR to which images are pushed.",
    )
    function: str = Field(
        "light-model",
        pattern=r"^[a-zA-Z0-9_-]{1,64}$",
        description="Lambda function; its alias `live` names the version that answers.",
    )
    shift: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of the invocations that a new version gets while it is watched.",
    )
    watch_s: float = Field(
        300.0,
        ge=0,
        description="Seconds for which a new version is watched with that share; CloudWatch's metrics are "
        "up to three minutes late.",
    )
    max_error_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the new version's invocations that may fail in that time, beyond the share "
        "of the old version's.",
    )
    start_timeout_s: float = Field(
        300.0, gt=0, description="Seconds within which a new version must be ready to be invoked."
    )
    host: str = Field(
        "",
        pattern=r"^(i-[0-9a-f]+|[^=\s]+=\S+)?$",
        description="EC2 instance that runs the service instead of Lambda: its id, or a tag NAME=VALUE "
        "that it alone has.",
    )
    tool_image: str = Field(
        "light-model-pipeline",
        min_length=1,
        description="Image in which `deploy docker` runs on that instance.",
    )


class WebhookSection(Section):
    """How a push to GitHub triggers Jenkins."""

    repository: str = Field(
        "", pattern=r"^([\w.-]+/[\w.-]+)?$", description="GitHub repository: owner/name."
    )
    address: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Public URL of Jenkins; empty: an ngrok tunnel is opened.",
    )
    target: str = Field(
        "http://localhost:8080", description="URL of Jenkins to which the tunnel forwards."
    )
    domain: str = Field(
        "",
        description="Fixed domain of the tunnel, NAME.ngrok-free.app; empty: a new one at each start.",
    )
    ngrok_server: str = Field(
        "", description="Host and port of ngrok's service, for accounts with a server of their own."
    )
    ngrok_ca: Path | None = Field(
        None,
        description="File of CA certificates that verify ngrok's service; not set: ngrok's own.",
    )
    github_api: str = Field(
        "https://api.github.com",
        description="URL of GitHub's API; https://HOST/api/v3 for an Enterprise server.",
    )
    github_token: SecretStr | None = Field(
        None, description="Token that may read and write webhooks (classic: admin:repo_hook)."
    )
    secret: SecretStr | None = Field(
        None,
        description="Secret with which GitHub signs its requests; Jenkins must have the same one.",
    )
    ngrok_token: SecretStr | None = Field(None, description="Authtoken of an ngrok account.")
