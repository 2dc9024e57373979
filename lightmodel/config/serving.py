"""The sections `serve` to `webhook` of `config.toml`: the service, what is kept, and how it is deployed."""

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
                f"{redacted(value)!r} is none: write s3://bucket/prefix or az://container/prefix"
            )
    if len({value.rstrip("/") for value in values}) < len(values):
        raise ValueError("one stands twice")
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
        "believed.",
    )
    max_body_mb: int = Field(
        512,
        ge=1,
        description="Largest request, before and after unpacking, in megabytes; a larger one is "
        "answered with 413.",
    )
    max_buffered_mb: int = Field(
        64,
        ge=1,
        description="Largest JSON array, Parquet or Excel file, which cannot be read in blocks, in "
        "megabytes.",
    )
    max_rows: int = Field(5_000_000, ge=1, description="Most rows of a request.")
    max_columns: int = Field(5_000, ge=1, description="Most columns of a request.")
    request_timeout_s: float = Field(
        600.0,
        gt=0,
        description="Seconds for receiving a whole request; a slower one is answered with 408.",
    )
    read_timeout_s: float = Field(
        30.0, gt=0, description="Seconds to wait for the next byte of a request."
    )
    reload_interval_s: float = Field(
        1.0, gt=0, description="Seconds between two looks for a newer approved model."
    )
    workers: int = Field(
        0, ge=0, le=64, description="Number of processes; 0: one for each core, at most four."
    )
    threads: int = Field(
        16,
        ge=1,
        le=512,
        description="Number of requests that a worker receives side by side; scoring takes turns.",
    )
    scoring_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Number of threads of a worker that score; 0: the cores divided by the workers.",
    )
    graceful_timeout_s: int = Field(
        30,
        ge=1,
        description="Seconds that requests under way are given when the service is stopped.",
    )
    keepalive_s: int = Field(5, ge=0, description="Seconds that an idle connection is kept open.")
    max_requests: int = Field(
        0, ge=0, description="Number of requests after which a worker is replaced; 0: never."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto",
        description="Format of the service's log lines; auto: text on a terminal, else JSON.",
    )
    api_keys: SecretStr | None = Field(
        None,
        description="Keys that clients must send, one per line, `key` or `name:key`; none: everybody "
        "may ask.",
    )
    rate_limit: float = Field(
        0.0,
        ge=0,
        description="Requests per second for each key (or address); each worker allows its share. 0: "
        "no limit.",
    )
    train_token: SecretStr | None = Field(
        None, description="Token that allows POST /train to start a retraining; none: nobody may."
    )
    jenkins_url: str = Field(
        "",
        description="Address of the Jenkins job that POST /train starts; empty: a process on this "
        "machine.",
    )
    jenkins_user: str = Field("", description="User who starts that job.")
    jenkins_token: SecretStr | None = Field(None, description="API token of that user.")

    @field_validator("api_keys")
    @classmethod
    def _some_key(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else "key"
        if not any(line.partition("#")[0].strip() for line in text.splitlines()):
            raise ValueError("it holds no key; write one a line, or leave it unset")
        return value


class LogSection(Section):
    """The prediction log: what was answered, and later how good that was."""

    sink: Literal["sqlite", "postgres", "csv", "none"] = Field(
        "sqlite",
        description="Where answered rows are kept: a SQLite file in log.folder, a PostgreSQL "
        "database, or nowhere. csv is sqlite; `python -m lightmodel export` writes either as CSV.",
    )
    folder: Path = Field(
        Path("var/log"),
        description="Folder of the log and of its spool, on a local disk; one for each store.root.",
    )
    url: SecretStr | None = Field(
        None,
        description="Address of the PostgreSQL database, postgresql://user:password@host:5432/name; "
        "one database (or schema) for each store.root.",
    )
    rate: float = Field(1.0, ge=0, le=1, description="Share of the rows that are kept.")
    features: bool = Field(False, description="Whether the features are kept as well.")
    queue_rows: int = Field(
        500_000,
        ge=1,
        description="Number of rows that may wait in a worker's memory; further ones are dropped.",
    )
    spool_mb: int = Field(
        256,
        ge=1,
        description="Size of the spool on disk while PostgreSQL is down, in megabytes; further rows "
        "are dropped.",
    )


class StoreSection(Section):
    """Where artefacts lie."""

    root: Path = Field(
        Path(), description="Folder of preprocessed/, model/ and retries/; one for each table."
    )
    work: Path = Field(Path("var"), description="Folder of downloads and of unfinished folds.")
    keep: int = Field(10, ge=1, description="Number of versions that `models retire` leaves.")
    mirrors: Annotated[tuple[str, ...], AfterValidator(_mirrors)] = Field(
        (),
        description="Where copies of approved models are kept, such as s3://bucket/prefix or "
        "az://container/prefix; one prefix for each store.root.",
    )
    signing_key: SecretStr | None = Field(
        None,
        description="Key that signs manifests and verdicts (HMAC); unsigned ones are then refused.",
    )


class TrackingSection(Section):
    """Where runs are kept and models registered: MLflow."""

    uri: str = Field(
        "auto",
        description="Address of MLflow: auto (a SQLite file in tracking.folder), https://…, "
        "databricks, postgresql://…; none: nothing is tracked.",
    )
    folder: Path = Field(
        Path("model-development"),
        description="Folder of mlflow.db, and of mlartifacts/ where no server keeps the files.",
    )
    experiment: str = Field(
        "light-model", min_length=1, description="Name of the experiment that runs belong to."
    )
    registered_model: str = Field(
        "auto",
        min_length=1,
        description="Name of the registered model whose aliases champion and challenger move; auto: "
        "light-model, followed by the name of store.root where that is not the project's "
        "own folder.",
    )
    timeout_s: float = Field(
        10.0,
        gt=0,
        description="Seconds that a run waits for MLflow in the end; what was not uploaded stays in "
        "the queue for `python -m lightmodel tracking resend`.",
    )
    username: SecretStr | None = Field(
        None, description="User name, for a server that asks for one."
    )
    password: SecretStr | None = Field(
        None, description="Password, for a server that asks for one."
    )
    token: SecretStr | None = Field(
        None, description="Bearer token, for a server that asks for one."
    )


class DeploySection(Section):
    """Where images are deployed, and how a new version is checked."""

    name: str = Field(
        "light-model",
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        description="Name of the service on a Docker host, after which its containers, network and "
        "volumes are named; one for each table.",
    )
    port: int = Field(
        5001, ge=1, le=65535, description="Port of the Docker host on which the service answers."
    )
    env_file: Path | None = Field(
        None,
        description="File of NAME=VALUE lines for the service's environment, such as "
        "LIGHTMODEL__SERVE__API_KEYS=…; secrets go there.",
    )
    api_key: SecretStr | None = Field(
        None, description="Key for asking the service for its sample rows, where it wants keys."
    )
    ready_timeout_s: float = Field(
        60.0, gt=0, description="Seconds for a new container to become ready."
    )
    watch_s: float = Field(
        60.0,
        ge=0,
        description="Seconds that a new version is watched before the old one is removed.",
    )
    keep_images: int = Field(
        3,
        ge=1,
        description="Number of the service's images that are kept on a Docker host for rollbacks.",
    )


class AzureSection(Section):
    """App Service, for `deploy azure`; credentials come from AZURE_… variables, or from az login."""

    subscription: str = Field("", description="Id of the subscription.")
    resource_group: str = Field(
        "light-model", min_length=1, description="Resource group that holds all that is created."
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
        description="SKU of the plan; from S1 on, versions are swapped without a gap.",
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
        description="Seconds for a new version to start and pass its smoke test.",
    )
    management: str = Field(
        "https://management.azure.com",
        pattern=r"^https://\S+$",
        description="Address of Azure's management API; sovereign clouds have another one.",
    )


class NotifySection(Section):
    """Who is notified when a build does not deploy, or the service does not answer."""

    urls: SecretStr | None = Field(
        None,
        description="Addresses of apprise, one per line, such as "
        "mailto://user:password@host?to=me@host or slack://…; none: only the log.",
    )
    timeout_s: float = Field(15.0, gt=0, description="Seconds for notifying one of them.")

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the addresses, without blank lines and comments; they hold secrets."""
        text = self.urls.get_secret_value() if self.urls else ""
        lines = (line.strip() for line in text.splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))


class WebhookSection(Section):
    """How a push at GitHub reaches Jenkins."""

    repository: str = Field(
        "", pattern=r"^([\w.-]+/[\w.-]+)?$", description="Repository at GitHub: owner/name."
    )
    address: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Public address of Jenkins; empty: an ngrok tunnel is opened.",
    )
    target: str = Field(
        "http://localhost:8080", description="Address at which Jenkins listens, for the tunnel."
    )
    domain: str = Field(
        "",
        description="Fixed address of the tunnel, NAME.ngrok-free.app; empty: another one at each "
        "start.",
    )
    ngrok_server: str = Field(
        "", description="Host and port of ngrok's service, for accounts with their own one."
    )
    ngrok_ca: Path | None = Field(
        None,
        description="Certificates that ngrok's service is checked against; not set: ngrok's own.",
    )
    github_api: str = Field(
        "https://api.github.com",
        description="Address of GitHub's API; https://HOST/api/v3 for an Enterprise server.",
    )
    github_token: SecretStr | None = Field(
        None, description="Token that may read and write webhooks (classic: admin:repo_hook)."
    )
    secret: SecretStr | None = Field(
        None, description="Secret with which GitHub signs its pushes; Jenkins has the same one."
    )
    ngrok_token: SecretStr | None = Field(None, description="Authtoken of an ngrok account.")
