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
        description="Reverse proxies in front, whose X-Forwarded-For is believed.",
    )
    max_megabytes: int = Field(
        512,
        ge=1,
        description="Largest request, before and after unpacking; more is answered with 413.",
    )
    max_whole_megabytes: int = Field(
        64,
        ge=1,
        description="Largest JSON array, Parquet or Excel file: they cannot be read in blocks.",
    )
    max_rows: int = Field(5_000_000, ge=1, description="Most rows of a request.")
    max_columns: int = Field(5_000, ge=1, description="Most columns of a request.")
    max_seconds: float = Field(
        600.0, gt=0, description="Most time for receiving a request; then it is answered with 408."
    )
    stall_seconds: float = Field(
        30.0, gt=0, description="Most time to wait for the next byte of a request."
    )
    look_every_s: float = Field(
        1.0, gt=0, description="How often to look for a newer approved model."
    )
    workers: int = Field(
        0, ge=0, le=64, description="Processes; 0: one for each core, at most four."
    )
    threads: int = Field(
        16,
        ge=1,
        le=512,
        description="Requests that a worker receives side by side; scoring takes turns.",
    )
    scoring_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads that score, in a worker; 0: the cores divided by the workers.",
    )
    graceful_seconds: int = Field(
        30, ge=1, description="Most time for requests under way when the service is stopped."
    )
    keepalive_seconds: int = Field(5, ge=0, description="How long an idle connection is kept open.")
    max_requests: int = Field(
        0, ge=0, description="A worker is replaced after so many requests; 0: never."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Of the service's log lines; auto: text on a terminal, else JSON."
    )
    api_keys: SecretStr | None = Field(
        None, description="Keys that may ask, one a line, `key` or `name:key`; none: everybody may."
    )
    rate_limit: float = Field(
        0.0,
        ge=0,
        description="Requests a second for each key (or address); each worker allows its share. 0: any.",
    )
    train_token: SecretStr | None = Field(
        None, description="Who has it may start a retraining by POST /train; none: nobody may."
    )
    jenkins_url: str = Field(
        "",
        description="Of the Jenkins job that POST /train starts; empty: a process of this machine.",
    )
    jenkins_user: str = Field("", description="Who starts that job.")
    jenkins_token: SecretStr | None = Field(None, description="That user's API token.")

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
        description="Where answered rows are kept: a SQLite file in log.folder, a PostgreSQL data "
        "base, or nowhere. csv is sqlite; `python -m lightmodel export` writes either as CSV.",
    )
    folder: Path = Field(
        Path("var/log"),
        description="Of the log and of what waits to be sent to it, on a local disk; one for each "
        "store.root.",
    )
    url: SecretStr | None = Field(
        None,
        description="Of the PostgreSQL data base, postgresql://user:password@host:5432/name; one "
        "data base (or schema) for each store.root.",
    )
    rate: float = Field(1.0, ge=0, le=1, description="Share of the rows that are kept.")
    features: bool = Field(False, description="Keep the features as well.")
    queue_rows: int = Field(
        500_000,
        ge=1,
        description="Rows that may wait in a worker's memory; further ones are dropped.",
    )
    spool_megabytes: int = Field(
        256,
        ge=1,
        description="What may wait on disk while the sink is down; further rows are dropped.",
    )


class StoreSection(Section):
    """Where artefacts lie."""

    root: Path = Field(
        Path(), description="Folder of preprocessed/, model/ and retries/; one for each table."
    )
    work: Path = Field(Path("var"), description="Folder of downloads and of unfinished folds.")
    keep: int = Field(10, ge=1, description="Versions that `models retire` leaves.")
    mirrors: Annotated[tuple[str, ...], AfterValidator(_mirrors)] = Field(
        (),
        description="Where copies of approved models are kept: s3://bucket/prefix, "
        "az://container/prefix; a prefix for each store.root.",
    )
    signing_key: SecretStr | None = Field(
        None, description="Signs manifests and verdicts (HMAC); then unsigned ones are refused."
    )


class TrackingSection(Section):
    """Where runs are kept and models registered: MLflow."""

    uri: str = Field(
        "auto",
        description="Of MLflow: auto (a SQLite file in tracking.folder), https://…, databricks, "
        "postgresql://…; none: nothing is tracked.",
    )
    folder: Path = Field(
        Path("model-development"),
        description="Of mlflow.db, and of mlartifacts/ where no server keeps the files.",
    )
    experiment: str = Field("light-model", min_length=1, description="That runs belong to.")
    registered_model: str = Field(
        "auto",
        min_length=1,
        description="Whose aliases champion and challenger move; auto: light-model, and the name of "
        "store.root after it where that is not the project's own folder.",
    )
    timeout_s: float = Field(
        10.0,
        gt=0,
        description="Most seconds that a run waits for MLflow in the end; what was not delivered then "
        "waits for `python -m lightmodel tracking resend`.",
    )
    username: SecretStr | None = Field(None, description="For a server that wants one.")
    password: SecretStr | None = Field(None, description="Likewise.")
    token: SecretStr | None = Field(None, description="For a server that wants a bearer token.")


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
