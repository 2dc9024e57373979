"""The section `console` of `config.toml`: the front end in a browser."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from lightmodel.config.base import Section

_URL = re.compile(r"https?://[^/\s?#@]+(/[^\s?#@]*)?")
_PATH = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError(
            "write the address of the service, such as http://127.0.0.1:5001 (a key is not part of it)"
        )
    return value.rstrip("/")


def _path(value: str) -> str:
    bare = value.strip("/")
    if bare and not _PATH.fullmatch(bare):
        raise ValueError("write a path such as console or team/console")
    return bare


class ConsoleSection(Section):
    """The console: a front end in a browser, which knows the service by its address and key."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8501, ge=1, le=65535, description="Port to listen on.")
    base_path: Annotated[str, AfterValidator(_path)] = Field(
        "",
        description="Path under which a proxy in front shows the console, such as console; the proxy "
        "passes it on. Empty: none.",
    )
    title: str = Field("light-model", min_length=1, description="Title, in the browser's tab.")
    service_url: Annotated[str, AfterValidator(_url)] = Field(
        "http://127.0.0.1:5001", description="Address of the prediction service."
    )
    key: SecretStr | None = Field(
        None,
        description="API key with which everybody who reaches the console predicts and reads; changing "
        "something needs a key that the user types. Not set: the service needs none, or users type theirs.",
    )
    timeout_s: float = Field(
        30.0,
        gt=0,
        description="Seconds within which the service must answer anything but a file.",
    )
    file_timeout_s: float = Field(
        660.0,
        gt=0,
        description="Seconds within which the service must answer a file once it is sent.",
    )
    folder: Path | None = Field(
        None,
        description="Folder for the answers to files until they are downloaded, and for the history of "
        "the page Watch. Not set: the system's folder for temporary files, which a container should not "
        "use where that is memory, and the project's store.work.",
    )
    max_answers_mb: int = Field(
        512,
        ge=1,
        description="Largest size in megabytes of all answers to files that the console keeps on its disk "
        "until they are downloaded; the oldest ones go first.",
    )
    keep_answers_s: float = Field(
        3600.0, gt=0, description="Seconds for which the answer to a file can be downloaded."
    )
    sample_interval_s: float = Field(
        15.0,
        gt=0,
        description="Seconds between two looks at the service's metrics for the page Watch.",
    )
