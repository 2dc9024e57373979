"""The sections `log`, `logs`, `store` and `tracking`: where rows, logs, artefacts and runs are kept."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

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


class LogSection(Section):
    """The prediction log: answered rows, and the labels that arrive later."""

    sink: Literal["sqlite", "postgres", "csv", "none"] = Field(
        "sqlite",
        description="Where answered rows are stored: a SQLite file in log.folder, a PostgreSQL "
        "database, or nowhere. csv means sqlite; `python -m lightmodel export` writes a CSV file.",
    )
    folder: Literal["auto"] | Path = Field(
        "auto",
        description="Folder of the log and of its spool, on a local disk; auto: log/ in store.root, and "
        "var/log if that is the project's folder.",
    )
    url: SecretStr | None = Field(
        None,
        description="Address of the PostgreSQL database, postgresql://user:password@host:5432/name; "
        "use one database (or schema) for each store.root.",
    )
    rate: float = Field(1.0, ge=0, le=1, description="Share of the answered rows that are logged.")
    features: bool = Field(
        False,
        description="Whether the features are logged as well; `python -m lightmodel drift` compares them.",
    )
    keep_days: int | None = Field(
        None,
        ge=1,
        description="Days after which answers are deleted; not set: never. Labels as old are deleted "
        "too, unless their id has a newer answer.",
    )
    max_mb: int | None = Field(
        None,
        ge=1,
        description="Size of the log in megabytes beyond which the oldest answers are deleted; not set: "
        "no limit.",
    )
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


class LogsSection(Section):
    """The logs of runs: one file for each, which `python -m lightmodel logs` prints."""

    folder: Literal["auto"] | Path = Field(
        "auto", description="Folder of these files; auto: logs/ in store.root."
    )
    console: Literal["auto", "plain", "text", "json"] = Field(
        "auto",
        description="Format of a run's log lines on the console: messages alone (plain), with time, "
        "level, run and stage (text), or as JSON; auto: plain on a terminal, else text.",
    )
    keep: int = Field(
        50, ge=1, description="Number of runs whose logs are kept; older ones are deleted."
    )
    max_mb: int = Field(
        10,
        ge=1,
        description="Size of a run's log in megabytes beyond which its oldest lines are deleted.",
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
    system_metrics: bool = Field(
        False,
        description="Whether processors, memory, disk and network are sampled every 10 s during a run, "
        "for MLflow's page of system metrics.",
    )
    username: SecretStr | None = Field(None, description="User name at the MLflow server.")
    password: SecretStr | None = Field(None, description="Password at the MLflow server.")
    token: SecretStr | None = Field(None, description="Bearer token for the MLflow server.")
