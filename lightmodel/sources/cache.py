"""The cache of downloads: one entry for each address, which is complete or absent."""

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lightmodel.config.base import redacted
from lightmodel.errors import StorageFull
from lightmodel.files import file_lock, sha256_of, write_atomic
from lightmodel.sources.base import FetchResult

RECORD, PART, PART_RECORD, LOCK = "source.json", "download.part", "download.json", ".lock"
MAX_NAME_BYTES = 120
FALLBACK = "table"
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileState:
    """What a source says about a file without sending it; empty or None means unknown."""

    name: str
    size: int | None = None
    etag: str = ""
    modified: str = ""

    def is_same_as(self, other: "FileState") -> bool:
        """Return whether both are the same state of the file; False where that cannot be known."""
        if self.etag or other.etag:
            return self.etag.removeprefix("W/") == other.etag.removeprefix("W/")
        known = self.modified and self.size is not None
        return bool(known) and (self.modified, self.size) == (other.modified, other.size)


@dataclass(frozen=True)
class CachedFile:
    """A complete file in the cache, as `source.json` describes it; `size` is its length in bytes."""

    uri: str
    state: FileState
    size: int
    sha256: str
    fetched: str

    @property
    def fetched_at(self) -> str:
        """The time of the download, in readable form."""
        return f"{self.fetched[:16].replace('T', ' ')} UTC"


@dataclass(frozen=True)
class PartialFile:
    """A partial download: the state of the file at the source, and the bytes that are here."""

    state: FileState
    size: int


class CacheEntry:
    """One address in the cache: `<cache>/<hash of the address>/`.

    `source.json` is written last, as the commit. The file counts as cached only while its size and
    hash are those recorded there.
    """

    def __init__(self, cache: Path, uri: str) -> None:
        self.uri = uri
        self.folder = cache / hashlib.sha256(uri.encode()).hexdigest()[:16]
        self.part = self.folder / PART

    def lock(self) -> contextlib.AbstractContextManager[object]:
        """Lock this entry against other processes, waiting for them if need be."""
        try:
            return file_lock(self.folder / LOCK, timeout_s=0)
        except TimeoutError:
            logger.info("%s is being fetched by another process: waiting", redacted(self.uri))
            return file_lock(self.folder / LOCK)

    def cached(self, sha256: str) -> CachedFile | None:
        """Return the cached file if it is complete and has this hash ("": any)."""
        try:
            raw = json.loads((self.folder / RECORD).read_text("utf-8"))
            file = CachedFile(state=FileState(**raw.pop("state")), **raw)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        if sha256 not in {"", file.sha256}:
            return None
        path = self.folder / file.state.name
        try:
            whole = path.stat().st_size == file.size and sha256_of(path) == file.sha256
        except OSError:
            whole = False
        if not whole:
            logger.warning("%s: the cached copy in %s is damaged", redacted(self.uri), self.folder)
        return file if whole else None

    def partial(self) -> PartialFile | None:
        """Return the partial download, if it is safe to resume."""
        try:
            raw = json.loads((self.folder / PART_RECORD).read_text("utf-8"))
            partial = PartialFile(FileState(**raw), self.part.stat().st_size)
        except (OSError, ValueError, TypeError):
            return None
        identified = bool(partial.state.etag or partial.state.modified)
        return partial if identified and partial.state.size is not None and partial.size else None

    def begin(self, state: FileState) -> None:
        """Start a partial download, and record the state of the file that it belongs to."""
        self.part.unlink(missing_ok=True)
        _write_json(self.folder / PART_RECORD, asdict(state))

    @contextlib.contextmanager
    def open_part(self, start: int) -> Iterator[IO[bytes]]:
        """Open the partial download at byte `start`; on closing, it is synchronised to disk."""
        with self.part.open("r+b" if start else "wb") as file:
            file.truncate(start)
            file.seek(start)
            yield file
            file.flush()
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Remove the partial download."""
        self.part.unlink(missing_ok=True)
        (self.folder / PART_RECORD).unlink(missing_ok=True)

    def publish(self, state: FileState, sha256: str) -> CachedFile:
        """Make the complete, checked download the cached file."""
        size = self.part.stat().st_size
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        file = CachedFile(redacted(self.uri), state, size, sha256, stamp)
        self.part.replace(self.folder / state.name)
        _write_json(self.folder / RECORD, asdict(file))
        for path in self.folder.iterdir():
            if path.name not in {state.name, RECORD, LOCK} and path.is_file():
                path.unlink(missing_ok=True)
        return file

    def result(self, file: CachedFile, *, changed: bool) -> FetchResult:
        """Return the cached file as the result of a fetch."""
        path = self.folder / file.state.name
        return FetchResult((path,), file.uri, file.sha256, file.size, file.state.etag, changed)

    def check_disk_space(self, needed: int) -> None:
        """Check that a download fits on the disk.

        Raises:
            StorageFull: fewer than `needed` bytes are free.
        """
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise StorageFull(
                f"the download needs {needed:,} bytes, but only {free:,} are free in {self.folder}",
                hint="free some space, or set store.work to a folder on another disk",
            )


def safe_name(name: str) -> str:
    """Return `name` as one path component, valid on every system and unlike the cache's own files."""
    last = re.split(r"[/\\]", name)[-1]
    plain = re.sub(r"[^\w.()+=, -]", "_", last).strip(" .")
    plain = _shortened(plain) or FALLBACK
    if plain.lower().endswith((".part", LOCK)):
        return f"{plain}_"
    if plain.lower() in {RECORD, PART_RECORD} or _DEVICES.match(plain):
        return f"{FALLBACK}-{plain}"
    return plain


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    ending = "".join(PurePosixPath(name).suffixes[-2:])
    if len(ending.encode()) > MAX_NAME_BYTES // 2:
        ending = ""
    stem = name.removesuffix(ending).encode()[: MAX_NAME_BYTES - len(ending.encode())]
    return stem.decode(errors="ignore") + ending


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomic(path, json.dumps(content, indent=2).encode())
