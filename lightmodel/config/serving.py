"""The section `serve` of `config.toml`: the prediction service."""

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
        description="Largest JSON array, Parquet or Excel file in megabytes; these must arrive as a whole. "
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
        30.0,
        gt=0,
        description="Seconds within which the head of a request must arrive, and each further part of "
        "it; a client that does not read its answer for as long is disconnected.",
    )
    on_missing: Literal["warn", "refuse"] = Field(
        "warn",
        description="What to do with a row without a value in a column that always had one in training: "
        "warn: it is scored with the column's median (a category as one never seen) and counted in the "
        "header X-Missing-Values; refuse: the request is rejected with 422.",
    )
    on_out_of_range: Literal["warn", "refuse"] = Field(
        "warn",
        description="What to do with a number beyond the allowed range, which is that of training and as "
        "much again on either side: warn: it is scored as it is and counted in the header X-Out-Of-Range; "
        "refuse: the request is rejected with 422.",
    )
    reload_interval_s: float = Field(
        1.0, gt=0, description="Seconds between two checks for a newer approved model."
    )
    shadow: str = Field(
        "",
        description="A model version that scores the same rows without answering, for `live --shadow`: its "
        "name, or challenger: the newest one after the served one that is neither approved nor withdrawn; "
        "empty: none.",
    )
    canary: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the ids that a newly approved version answers until it is promoted, such as "
        "0.05; the version approved before answers the others. 0: it answers all of them at once.",
    )
    canary_rows: int = Field(
        1_000,
        ge=1,
        description="Number of rows that a canary must have answered without falling behind before "
        "`watch` or `live --check` promotes it.",
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
        description="Number of uploads that a worker receives concurrently; it scores them in turn. Small "
        "JSON requests need no thread.",
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
    replicas: int = Field(
        1,
        ge=1,
        le=1_000,
        description="Number of services among which a proxy spreads the requests, this one included; each "
        "allows its part of serve.rate_limit. `deploy docker` sets it to deploy.replicas.",
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Web pages of other origins that may call the service from a browser, such as "
        '"https://app.example.org"; "*" allows all of them.',
    )
    train_token: SecretStr | None = Field(
        None,
        description="Token that POST /train and the changes of POST /models require, and changes in the "
        "console; not set: nobody may make them over HTTP.",
    )
    jenkins_url: str = Field(
        "",
        description="URL of the Jenkins job that POST /train starts; empty: it starts a process on this "
        "machine.",
    )
    jenkins_user: str = Field("", description="Jenkins user who starts that job.")
    jenkins_token: SecretStr | None = Field(None, description="API token of that user.")

    @property
    def tolerated(self) -> frozenset[str]:
        """The rules of a contract that rows may break: their violations are only counted."""
        settings = {"missing": self.on_missing, "range": self.on_out_of_range}
        return frozenset(rule for rule, choice in settings.items() if choice == "warn")

    @field_validator("api_keys")
    @classmethod
    def _require_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else "key"
        if not any(line.partition("#")[0].strip() for line in text.splitlines()):
            raise ValueError("it holds no key; write one per line, or leave it unset")
        return value
