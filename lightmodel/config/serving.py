"""The sections `serve` to `webhook` of `config.toml`: serving, storage, tracking and deployment."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator

from lightmodel.config.base import Section, redacted

_MIRROR = re.compile(r"(s3|az)://[^/\s]+(/[^/\s]+)*/?")


def _mirrors(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not _MIRROR.fullmatch(value):
            raise ValueError(
                f"{redacted(value)!r} is no mirror: write s3://bucket/prefix or az://container/prefix"
            )
    if len({value.rstrip("/") for value in values}) < len(values):
        raise ValueError("a mirror is listed twice")
    return values


class ServeSection(Section):
    """The prediction service."""

    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 — containers need it
    port: int = Field(5001, ge=1, le=65535, description="Port to listen on.")
    proxies: int = Field(
        0,
        ge=0,
        le=8,
        description="Number of reverse proxies in front of the service, whose X-Forwarded-For is "
        "trusted.",
    )
    max_body_mb: int = Field(
        512,
        ge=1,
        description="Largest request body, before and after decompression, in megabytes; a larger one "
        "is rejected with 413.",
    )
    max_buffered_mb: int = Field(
        64,
        ge=1,
        description="Largest JSON array, Parquet or Excel file in megabytes; these are read as a whole. "
        "An answer may take twice as much.",
    )
    max_rows: int = Field(5_000_000, ge=1, description="Maximum number of rows in a request.")
    max_columns: int = Field(5_000, ge=1, description="Maximum number of columns in a request.")
    request_timeout_s: float = Field(
        600.0,
        gt=0,
        description="Seconds within which a request must arrive; a slower one is rejected with 408.",
    )
    read_timeout_s: float = Field(
        30.0, gt=0, description="Seconds to wait for the next byte of a request."
    )
    reload_interval_s: float = Field(
        1.0, gt=0, description="Seconds between two checks for a newer approved model."
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Number of worker processes; 0: one for each core, at most four.",
    )
    threads: int = Field(
        16,
        ge=1,
        le=512,
        description="Number of requests that a worker receives concurrently; it scores them in turn.",
    )
    scoring_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Number of scoring threads of a worker; 0: the cores divided by the workers.",
    )
    graceful_timeout_s: int = Field(
        30, ge=1, description="Seconds in which running requests may finish when the service stops."
    )
    keepalive_s: int = Field(
        5, ge=0, description="Seconds for which an idle connection is kept open."
    )
    max_requests: int = Field(
        0, ge=0, description="Number of requests after which a worker is replaced; 0: never."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto",
        description="Format of the service's log lines; auto: text on a terminal, else JSON.",
    )
    api_keys: SecretStr | None = Field(
        None,
        description="API keys of clients, one per line, as `key` or `name:key`; not set: no key is needed.",
    )
    rate_limit: float = Field(
        0.0,
        ge=0,
        description="Maximum number of requests per second for each key (or address); 0: no limit.",
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Web pages of other origins that may call the service from a browser, such as "
        '"https://app.example.org"; "*" allows all of them.',
    )
    train_token: SecretStr | None = Field(
        None, description="Token that POST /train requires; not set: nobody may start a retraining."
    )
    jenkins_url: str = Field(
        "",
        description="URL of the Jenkins job that POST /train starts; empty: it starts a process on this "
        "machine.",
    )
    jenkins_user: str = Field("", description="Jenkins user who starts that job.")
    jenkins_token: SecretStr | None = Field(None, description="API token of that user.")

    @field_validator("api_keys")
    @classmethod
    def _require_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else "key"
        if not any(line.partition("#")[0].strip() for line in text.splitlines()):
            raise ValueError("it holds no key; write one per line, or leave it unset")
        return value


class LogSection(Section):
    """The prediction log: answered rows, and the labels that arrive later."""

    sink: Literal["sqlite", "postgres", "csv", "none"] = Field(
        "sqlite",
        description="Where answered rows are stored: a SQLite file in log.folder, a PostgreSQL "
        "database, or nowhere. csv means sqlite; `python -m lightmodel export` writes a CSV file.",
    )
    folder: Path = Field(
        Path("var/log"),
        description="Folder of the log and of its spool, on a local disk; use one for each store.root.",
    )
    url: SecretStr | None = Field(
        None,
        description="Address of the PostgreSQL database, postgresql://user:password@host:5432/name; "
        "use one database (or schema) for each store.root.",
    )
    rate: float = Field(1.0, ge=0, le=1, description="Share of the answered rows that are logged.")
    features: bool = Field(False, description="Whether the features are logged as well.")
    queue_rows: int = Field(
        500_000,
        ge=1,
        description="Number of rows that may wait in a worker's memory; further rows are dropped.",
    )
    spool_mb: int = Field(
        256,
        ge=1,
        description="Maximum size in megabytes of the spool on disk, which keeps rows while PostgreSQL "
        "is down; further rows are dropped.",
    )


class StoreSection(Section):
    """Where artefacts are stored."""

    root: Path = Field(
        Path(), description="Folder of preprocessed/, model/ and retries/; use one for each table."
    )
    work: Path = Field(
        Path("var"), description="Folder of downloads, unfinished folds, studies and comparisons."
    )
    keep: int = Field(10, ge=1, description="Number of versions that `models retire` keeps.")
    mirrors: Annotated[tuple[str, ...], AfterValidator(_mirrors)] = Field(
        (),
        description="Where approved models are copied to, such as s3://bucket/prefix or "
        "az://container/prefix; use one prefix for each store.root.",
    )
    signing_key: SecretStr | None = Field(
        None,
        description="Key that signs manifests and verdicts (HMAC); unsigned ones are then rejected.",
    )


class TrackingSection(Section):
    """MLflow, where runs are logged and models are registered."""

    uri: str = Field(
        "auto",
        description="Address of MLflow: auto (a SQLite file in tracking.folder), https://…, "
        "databricks, postgresql://…; none: tracking is off.",
    )
    folder: Path = Field(
        Path("model-development"),
        description="Folder of mlflow.db, and of mlartifacts/ if no server stores the artifacts.",
    )
    experiment: str = Field(
        "light-model", min_length=1, description="Name of the experiment that runs belong to."
    )
    registered_model: str = Field(
        "auto",
        min_length=1,
        description="Name of the registered model, which has the aliases champion and challenger; auto: "
        "light-model, followed by the name of store.root if that is not the project's folder.",
    )
    timeout_s: float = Field(
        10.0,
        gt=0,
        description="Seconds that a run waits for MLflow at its end; what was not uploaded is queued, "
        "and `python -m lightmodel tracking resend` uploads it.",
    )
    username: SecretStr | None = Field(None, description="User name at the MLflow server.")
    password: SecretStr | None = Field(None, description="Password at the MLflow server.")
    token: SecretStr | None = Field(None, description="Bearer token for the MLflow server.")


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
        description="Number of images of the service that a Docker host keeps for rollbacks.",
    )


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


class NotifySection(Section):
    """Who is notified when a build does not deploy, or when the service does not answer."""

    urls: SecretStr | None = Field(
        None,
        description="URLs of apprise, one per line, such as mailto://user:password@host?to=me@host or "
        "slack://…; not set: notifications are only logged.",
    )
    timeout_s: float = Field(15.0, gt=0, description="Seconds to wait for each of them.")

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the URLs, without blank lines and comments; they hold secrets."""
        text = self.urls.get_secret_value() if self.urls else ""
        lines = (line.strip() for line in text.splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))


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
