"""The folder of what was brought here: for each address one entry, which is complete or not there."""

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from lightmodel.config.redact import redacted
from lightmodel.errors import ConfigError, StorageFull
from lightmodel.sources.base import Fetched

RECORD, PART, PART_RECORD, LOCK = "source.json", "download.part", "download.json", ".lock"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """What a source says about a file without sending it; empty or None: it does not say."""

    name: str
    size: int | None = None
    etag: str = ""
    modified: str = ""

    def is_same_as(self, other: "State") -> bool:
        """Say whether both are one state of the file; what cannot be known counts as another."""
        if self.etag or other.etag:
            return self.etag.removeprefix("W/") == other.etag.removeprefix("W/")
        known = self.modified and self.size is not None
        return bool(known) and (self.modified, self.size) == (other.modified, other.size)


@dataclass(frozen=True)
class Record:
    """A file that is here, as `source.json` describes it; `size` is that of the file."""

    uri: str
    state: State
    size: int
    sha256: str
    fetched: str

    @property
    def when(self) -> str:
        """When it was fetched, for a person."""
        return f"{self.fetched[:16].replace('T', ' ')} UTC"


@dataclass(frozen=True)
class Partial:
    """The beginning of a file that is here, and the state of the source that it belongs to."""

    state: State
    size: int


class Entry:
    """One address in the cache: `<cache>/<hash of the address>/`.

    `source.json` is written last: it is the commit. What it describes is believed only as long as
    the file has the size and the hash that stand there.
    """

    def __init__(self, cache: Path, uri: str) -> None:
        self.uri = uri
        self.folder = cache / hashlib.sha256(uri.encode()).hexdigest()[:16]
        self.part = self.folder / PART

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this entry against other processes, waiting for them if need be."""
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / LOCK)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                logger.info("%s is being fetched by another process: waiting", redacted(self.uri))
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def held(self, sha256: str) -> Record | None:
        """Give what is here, if it is whole and, with `sha256` not empty, what is expected."""
        record = _read_record(self.folder / RECORD)
        if record is None or sha256 not in {"", record.sha256}:
            return None
        path = self.folder / record.state.name
        try:
            whole = path.stat().st_size == record.size and digest(path) == record.sha256
        except OSError:
            whole = False
        if not whole:
            logger.warning("%s: the copy in %s is damaged", redacted(self.uri), self.folder)
        return record if whole else None

    def partial(self) -> Partial | None:
        """Give the beginning of a file that is here, if going on from it is safe."""
        try:
            raw = json.loads((self.folder / PART_RECORD).read_text("utf-8"))
            found = Partial(State(**raw), self.part.stat().st_size)
        except (OSError, ValueError, TypeError):
            return None
        identified = bool(found.state.etag or found.state.modified)
        return found if identified and found.state.size is not None and found.size else None

    def begin(self, state: State) -> None:
        """Forget any beginning, and note which state of the source the new one belongs to."""
        self.part.unlink(missing_ok=True)
        _write_json(self.folder / PART_RECORD, asdict(state))

    @contextlib.contextmanager
    def writing(self, start: int) -> Iterator[IO[bytes]]:
        """Open the unfinished file to go on from byte `start`; on the disk when it is closed."""
        with self.part.open("r+b" if start else "wb") as file:
            file.truncate(start)
            file.seek(start)
            yield file
            file.flush()
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Throw the unfinished file away."""
        self.part.unlink(missing_ok=True)
        (self.folder / PART_RECORD).unlink(missing_ok=True)

    def publish(self, state: State, sha256: str) -> Record:
        """Turn the finished, checked `.part` into the file that is here."""
        size = self.part.stat().st_size
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        record = Record(redacted(self.uri), state, size, sha256, stamp)
        self.part.replace(self.folder / state.name)
        _write_json(self.folder / RECORD, asdict(record))
        self._sweep(keep={state.name, RECORD, LOCK})
        return record

    def fetched(self, record: Record, *, changed: bool) -> Fetched:
        """Describe the file that is here."""
        path = self.folder / record.state.name
        etag = record.state.etag
        return Fetched((path,), record.uri, record.sha256, record.size, etag, changed)

    def _sweep(self, keep: set[str]) -> None:
        for path in self.folder.iterdir():
            if path.name not in keep and path.is_file():
                path.unlink(missing_ok=True)


def check_room(folder: Path, needed: int) -> None:
    """Refuse to start what cannot end.

    Raises:
        StorageFull: fewer than `needed` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageFull(
            f"the download needs {needed:,} bytes, but only {free:,} are free in {folder}",
            hint="make room, or let store.work name a folder on another disk",
        )


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Say in our own errors what the operating system refuses; wrap only work on the disk in it.

    Raises:
        StorageFull: the disk, or the quota on it, is full.
        ConfigError: the folder cannot be written for another reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(
                f"the disk is full: nothing more can be written to {folder}",
                hint="make room and run again: what has arrived is kept, and gone on from",
            ) from error
        raise ConfigError(
            f"the folder of downloads {folder} cannot be used: {error.strerror or error}",
            hint="let store.work name a folder that this user may write to",
        ) from error


def digest(path: Path) -> str:
    """Give the sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_record(path: Path) -> Record | None:
    try:
        raw = json.loads(path.read_text("utf-8"))
        state = State(**raw.pop("state"))
        return Record(state=state, **raw)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
