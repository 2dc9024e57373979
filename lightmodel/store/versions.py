"""Versions on disk: folders that are written once, whose manifest, written last, makes them real.

Readers need no lock. A folder without a manifest does not exist for them, and one that vanishes while
they look is normal.
"""

import difflib
import hashlib
import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, LightModelError
from lightmodel.store.files import sha256_of, told, whole_file, write_whole
from lightmodel.store.manifest import FileEntry, Manifest
from lightmodel.store.signing import Signer

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
ABANDONED = timedelta(days=1)
_STAMP = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{6}")
_MADE_BY = {"split": "python run.py preprocess", "model": "python run.py"}


def is_version_name(name: str) -> bool:
    """Say whether a folder of that name may be a version's."""
    return _NAME.fullmatch(name) is not None


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Version:
    """A finished version."""

    name: str
    folder: Path
    manifest: Manifest

    def file(self, name: str) -> Path:
        """Give the path of a payload."""
        self._entry(name)
        return self.folder / name

    def read(self, name: str) -> bytes:
        """Read a payload once, and give exactly the bytes that were checked.

        Raises:
            ArtefactCorrupt: it is gone, or not what was written.
        """
        entry = self._entry(name)
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise ArtefactCorrupt(f"{self.name}: {name} cannot be read") from error
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ArtefactCorrupt(f"{self.name}: {name} is not what was written")
        return data

    def _entry(self, name: str) -> FileEntry:
        try:
            return self.manifest.files[name]
        except KeyError:
            raise ArtefactCorrupt(f"{self.name} holds no {name}") from None


@dataclass
class Draft:
    """A version being written; nobody sees it before `publish`."""

    name: str
    folder: Path
    kind: str
    signer: Signer
    created: datetime
    files: dict[str, FileEntry] = field(default_factory=dict)
    published: bool = False

    @contextmanager
    def path(self, name: str) -> Iterator[Path]:
        """Give a path to write the payload `name` to."""
        with whole_file(self.folder / name) as part:
            yield part
        written = self.folder / name
        self.files[name] = FileEntry(written.stat().st_size, sha256_of(written))

    def write(self, name: str, data: bytes) -> None:
        """Write a payload; `name` may hold one folder."""
        path = self.folder / name
        with told(path):
            path.parent.mkdir(exist_ok=True)
        write_whole(path, data)
        self.files[name] = FileEntry(len(data), hashlib.sha256(data).hexdigest())

    def publish(self, **facts: Any) -> Version:  # noqa: ANN401 — the manifest's own fields
        """Write the manifest: from now on the version exists."""
        manifest = Manifest(
            kind=self.kind,
            version=self.name,
            created=self.created.isoformat(),
            files=dict(self.files),
            **facts,
        )
        signature = self.signer.sign(manifest.to_json(signed=False))
        manifest = replace(manifest, signature=signature)
        write_whole(self.folder / MANIFEST, manifest.to_json())
        self.published = True
        logger.info("published %s %s", self.kind, self.name)
        return Version(self.name, self.folder, manifest)


class Store:
    """The versions of one kind under one folder."""

    def __init__(
        self, folder: Path, kind: str, signer: Signer, clock: Callable[[], datetime] = _now
    ) -> None:
        self.folder = folder
        self.kind = kind
        self.signer = signer
        self._clock = clock
        self._told: set[str] = set()

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Start a version; left without `publish`, it is removed.

        Raises:
            StorageFull: the disk is full.
        """
        created = self._stamp()
        name = f"{created.strftime(_STAMP)}-{secrets.token_hex(3)}"
        folder = self.folder / name
        with told(folder):
            folder.mkdir(parents=True)
        draft = Draft(name, folder, self.kind, self.signer, created)
        try:
            yield draft
        finally:
            if not draft.published:
                shutil.rmtree(folder, ignore_errors=True)

    def _stamp(self) -> datetime:
        """Give the time, or the moment after the newest version where the clock is behind that."""
        now = self._clock()
        names = [name for name in self.names() if (self.folder / name / MANIFEST).exists()]
        if not names:
            return now
        newest = datetime.strptime(names[0].partition("-")[0], _STAMP).replace(tzinfo=UTC)
        return max(now, newest + timedelta(microseconds=1))

    def names(self) -> list[str]:
        """Give the names of all version folders, finished or not, newest first."""
        try:
            entries = [path.name for path in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted((name for name in entries if is_version_name(name)), reverse=True)

    def versions(self) -> list[Version]:
        """Give all finished versions, newest first; what cannot be read is passed over, told once."""
        return list(self.newest_first())

    def newest_first(self) -> Iterator[Version]:
        """Yield finished versions, newest first, reading no more than is asked for."""
        for name in self.names():
            try:
                data = (self.folder / name / MANIFEST).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue  # not finished, or retired while we look
            try:
                manifest = Manifest.from_json(data, name)
            except ArtefactCorrupt as error:
                self.tell_once(name, error)
                continue
            yield Version(name, self.folder / name, manifest)

    def tell_once(self, name: str, error: LightModelError) -> None:
        """Warn of something wrong with a version, the first time that it is met."""
        if name not in self._told:
            self._told.add(name)
            logger.warning("passed over: %s", error.message)

    def newest(self) -> Version:
        """Give the newest finished version.

        Raises:
            ArtefactMissing: there is none.
        """
        found = next(self.newest_first(), None)
        if found is None:
            raise ArtefactMissing(
                f"there is no {self.kind} in {self.folder}",
                hint=f"`{_MADE_BY[self.kind]}` makes one",
            )
        return found

    def get(self, name: str) -> Version:
        """Give a version by its name or a unique beginning of it.

        Raises:
            ArtefactMissing: none has that name, or more than one begins with it.
        """
        found = [version for version in self.newest_first() if version.name.startswith(name)]
        if len(found) == 1 and name:
            return found[0]
        if found:
            raise ArtefactMissing(f"{len(found)} versions of a {self.kind} begin with {name!r}")
        names = [version.name for version in self.newest_first()]
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3]
        known = f"known are {', '.join(close)}" if close else f"{self.folder} holds none"
        raise ArtefactMissing(f"there is no {self.kind} {name!r}; {known}")

    def verify(self, version: Version, *names: str) -> None:
        """Check the signature and every file, or only the files named.

        Raises:
            ArtefactCorrupt: naming what is wrong.
        """
        manifest = version.manifest
        self.signer.check(
            manifest.to_json(signed=False), manifest.signature, f"{version.name}/{MANIFEST}"
        )
        checked = {name: manifest.files[name] for name in names or manifest.files}
        wrong = [name for name, entry in checked.items() if not _matches(version, name, entry)]
        if wrong:
            raise ArtefactCorrupt(
                f"{version.name}: {', '.join(sorted(wrong))} is not what was written",
                hint="restore the folder from a backup, or run the chain again",
            )

    def sweep(self) -> list[str]:
        """Remove folders that a killed writer left more than a day ago."""
        removed = []
        limit = self._clock() - ABANDONED
        for name in self.names():
            folder = self.folder / name
            started = datetime.strptime(name.partition("-")[0], _STAMP).replace(tzinfo=UTC)
            if started < limit and not (folder / MANIFEST).exists():
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(name)
        return removed


def _matches(version: Version, name: str, entry: FileEntry) -> bool:
    path = version.folder / name
    inside = version.folder in path.parents and ".." not in path.parts
    if not inside or not path.is_file():
        return False
    return path.stat().st_size == entry.size and sha256_of(path) == entry.sha256
