"""The section `serve` of `config.toml`."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from lightmodel.config.base import Section


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
