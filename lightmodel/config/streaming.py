"""The section `streams` of `config.toml`: records that arrive one by one, and where answers go."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from lightmodel.config.base import Section

_KINESIS = re.compile(r"kinesis://[A-Za-z0-9_.-]{1,128}")
_KAFKA = re.compile(r"kafka://[^/\s,@]+:\d+(,[^/\s,@]+:\d+)*/[A-Za-z0-9_.-]{1,249}")
STREAM_FORMS = "kinesis://STREAM or kafka://HOST:PORT/TOPIC"


def _stream(value: str) -> str:
    if value and not _KINESIS.fullmatch(value) and not _KAFKA.fullmatch(value):
        raise ValueError(f"it is no address of a stream: write {STREAM_FORMS}")
    return value


def _without_password(options: dict[str, str]) -> dict[str, str]:
    if secret := [name for name in options if re.search("password|secret|key.pem", name)]:
        raise ValueError(
            f"{secret[0]} is a secret: a password belongs into LIGHTMODEL__STREAMS__KAFKA_PASSWORD, "
            "and a key into the file that ssl.key.location names"
        )
    return options


Stream = Annotated[str, AfterValidator(_stream)]


class StreamsSection(Section):
    """Streams that are scored: by `python -m lightmodel stream`, or as an AWS Lambda function."""

    input: Stream = Field(
        "",
        description="Stream that `python -m lightmodel stream` reads: kinesis://STREAM or "
        "kafka://HOST:PORT/TOPIC (several brokers: HOST:PORT,HOST:PORT).",
    )
    output: Stream = Field(
        "", description="Stream that answers are written to, in the same form as streams.input."
    )
    dead_letter: Stream = Field(
        "",
        description="Stream for records that cannot be scored, with the reason; empty: such a record stops "
        "`stream`, and Lambda reports it as failed.",
    )
    start: Literal["oldest", "newest"] = Field(
        "oldest", description="Where reading begins in a stream that has no checkpoint yet."
    )
    dedupe: Literal["record", "id", "none"] = Field(
        "record",
        description="What is answered once: a record, though it is delivered again (record); an id, though "
        "records repeat it (id, by the id column); none: everything is answered.",
    )
    dedupe_window: int = Field(
        10_000, ge=1, description="Number of last answers among which repeated ones are recognised."
    )
    batch_records: int = Field(
        500, ge=1, le=10_000, description="Maximum number of records that are scored together."
    )
    poll_interval_s: float = Field(
        1.0, gt=0, description="Seconds between two reads of a stream that has nothing new."
    )
    timeout_s: float = Field(
        10.0, gt=0, description="Seconds to wait for an answer of a stream's service."
    )
    retries: int = Field(
        5,
        ge=0,
        description="Number of further tries to write what a stream did not accept, with growing pauses; "
        "then Lambda reports the records as failed, and `stream` goes on trying until it is stopped.",
    )
    folder: Literal["auto"] | Path = Field(
        "auto",
        description="Folder of the checkpoints of `stream`, on a local disk; auto: streams/ in store.work.",
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of the metrics of `stream`, for Prometheus, on serve.host; 0: none.",
    )
    kafka: Annotated[dict[str, str], AfterValidator(_without_password)] = Field(
        default_factory=dict,
        repr=False,  # whoever writes a password here shall not find it in a log
        description="Options of librdkafka for kafka:// streams, such as "
        '{"security.protocol" = "SASL_SSL", "sasl.mechanism" = "PLAIN", "sasl.username" = "me"}.',
    )
    kafka_password: SecretStr | None = Field(
        None, description="Password for kafka:// streams (sasl.password)."
    )
    test_run: bool = Field(
        False,
        description="Whether records are scored and nothing is written: no answer, no checkpoint. "
        "TEST_RUN=true in the environment sets it as well.",
    )
