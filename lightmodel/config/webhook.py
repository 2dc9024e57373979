"""The section `webhook` of `config.toml`."""

from pathlib import Path

from pydantic import Field, SecretStr

from lightmodel.config.base import Section


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
