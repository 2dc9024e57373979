"""Bringing a table here from wherever it lies: the protocol, its options and its result."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lightmodel.progress import Progress


@dataclass(frozen=True)
class FetchOptions:
    """How to fetch.

    Attributes:
        cache: folder for what is downloaded or generated; created when needed.
        refresh: always | changed | never (see docs/config.md).
        sha256: expected hash of the bytes, or "".
        timeout_s: seconds without a byte before a try is given up.
        retries: further tries after the first.
        progress: where to report bytes as they come.
        sleep: waits so many seconds between two tries; a test passes another.
    """

    cache: Path
    refresh: str
    sha256: str
    timeout_s: float
    retries: int
    progress: Progress
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Fetched:
    """Complete, checked files.

    Attributes:
        paths: in the order in which their rows are to be read.
        uri: what answered, without secrets.
        sha256: of the file; of several, of their hashes in order.
        size: bytes in all.
        etag: what the source calls this state of it, or "".
        changed: False when it was here already and nothing had to be brought.
    """

    paths: tuple[Path, ...]
    uri: str
    sha256: str
    size: int
    etag: str
    changed: bool


class Source(Protocol):
    """A place that a table can come from.

    A fetch ends in complete, checked files or in an error, and never in half a file under its final
    name; killed at any moment, the next call works (and goes on from what is there, where the source
    can). What has not changed at the source is not transferred again. With `refresh="never"` and the
    file here already it opens no connection. It raises SourceUnavailable or QuotaExceeded when trying
    again later may help, DataError when the bytes are not what was asked for, ConfigError when the
    address makes no sense, StorageFull when the disk is full. No secret of the address is in a message.
    """

    def __call__(self, uri: str, options: FetchOptions) -> Fetched:
        """Bring here what `uri` names."""
        ...
