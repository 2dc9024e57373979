"""Fetching a table: the protocol of a source, the options of a fetch, and its result."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lightmodel.progress import Progress


@dataclass(frozen=True)
class FetchOptions:
    """Options of a fetch.

    Attributes:
        cache: folder for what is downloaded or generated; created when needed.
        refresh: always | changed | never (see docs/config.md).
        sha256: expected hash of the bytes, or "".
        timeout_s: seconds without data after which a try fails.
        retries: further tries after the first.
        progress: where to report bytes as they come.
        sleep: waits so many seconds between two tries; tests replace it.
    """

    cache: Path
    refresh: str
    sha256: str
    timeout_s: float
    retries: int
    progress: Progress
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class FetchResult:
    """Complete, checked files.

    Attributes:
        paths: in the order in which their rows are to be read.
        uri: where the files came from, without secrets.
        sha256: hash of the file; of several files, hash of their hashes in order.
        size: total bytes.
        etag: the source's identifier of this state of the file, or "".
        changed: False if the files were here already, and nothing was transferred.
    """

    paths: tuple[Path, ...]
    uri: str
    sha256: str
    size: int
    etag: str
    changed: bool


class Source(Protocol):
    """A place that a table can come from.

    A fetch ends with complete, checked files or with an error, never with half a file under its final
    name. After a kill at any moment the next call works, and resumes where the source allows it. What
    has not changed at the source is not transferred again. With `refresh="never"` and a cached file no
    connection is opened. It raises SourceUnavailable or QuotaExceeded when a later try may help,
    DataError when the bytes are not what was asked for, ConfigError when the address is invalid,
    StorageFull when the disk is full. No message contains a secret of the address.
    """

    def __call__(self, uri: str, options: FetchOptions) -> FetchResult:
        """Fetch the files that `uri` names."""
        ...
