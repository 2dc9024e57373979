"""Versions on disk, and the stores that hold them.

A version is a folder that is written once; its manifest, written last, commits it. Readers need no lock:
they ignore a folder without a manifest, and expect that one may vanish while they read.
"""

import difflib
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lightmodel.config import Config
from lightmodel.errors import ArtefactCorrupt, ArtefactMissing, LightModelError
from lightmodel.files import atomic_path, sha256_of, translate_os_errors, write_atomic
from lightmodel.interruption import raise_if_interrupted
from lightmodel.store.manifest import RESTORE, FileEntry, Manifest, Signer
from lightmodel.store.version_files import matches_entry, read_document, unreadable
from lightmodel.store.version_names import created_at, is_version_name, new_version_name

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
ABANDONED_AFTER = timedelta(days=1)
_MADE_BY = {"split": "python run.py preprocess", "model": "python run.py"}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Version:
    """A finished version."""

    name: str
    folder: Path
    manifest: Manifest

    def file(self, name: str) -> Path:
        """Return the path of a payload.

        Raises:
            ArtefactCorrupt: there is no such payload, or the manifest names a path outside the folder.
        """
        if name not in self.manifest.files:
            raise ArtefactCorrupt(f"{self.name} holds no {name}")
        path = self.folder / name
        if self.folder not in path.parents or ".." in path.parts:
            raise ArtefactCorrupt(f"{self.name}: its manifest names {name}, outside its folder")
        return path

    def read(self, name: str) -> bytes:
        """Return a payload, read once: exactly the bytes that were checked.

        Raises:
            ArtefactCorrupt: the payload cannot be read, or does not match the manifest.
        """
        path = self.file(name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ArtefactCorrupt(f"{self.name}: {name} cannot be read") from error
        if hashlib.sha256(data).hexdigest() != self.manifest.files[name].sha256:
            raise ArtefactCorrupt(f"{self.name}: {name} does not match the manifest")
        return data


@dataclass
class Draft:
    """A version being written; readers do not see it before `publish`."""

    name: str
    folder: Path
    kind: str
    signer: Signer
    created: datetime
    files: dict[str, FileEntry] = field(default_factory=dict)
    published: bool = False

    @contextmanager
    def path(self, name: str) -> Iterator[Path]:
        """Yield the path to which to write the payload `name`; the name may contain one folder."""
        path = self.folder / name
        with translate_os_errors(path):
            path.parent.mkdir(exist_ok=True)
        with atomic_path(path) as part:
            yield part
        self.files[name] = FileEntry(path.stat().st_size, sha256_of(path))

    def write(self, name: str, data: bytes) -> None:
        """Write a payload."""
        with self.path(name) as part:
            part.write_bytes(data)

    def publish(self, **facts: Any) -> Version:  # noqa: ANN401 — the manifest's own fields
        """Write the manifest: from now on the version exists.

        Raises:
            KeyboardInterrupt: Ctrl-C came before, and got lost.
        """
        raise_if_interrupted()
        manifest = self.signer.sign(
            Manifest(
                kind=self.kind,
                version=self.name,
                created=self.created.isoformat(),
                files=dict(self.files),
                **facts,
            )
        )
        write_atomic(self.folder / MANIFEST, manifest.to_json())
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
        self._warned: set[str] = set()

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """Start a version; it is removed if the block ends without `publish`.

        Raises:
            StorageFull: the disk is full.
        """
        created = self._stamp()
        name = new_version_name(created)
        folder = self.folder / name
        with translate_os_errors(folder):
            folder.mkdir(parents=True)
        draft = Draft(name, folder, self.kind, self.signer, created)
        try:
            yield draft
        finally:
            if not draft.published:
                shutil.rmtree(folder, ignore_errors=True)

    def _stamp(self) -> datetime:
        """Return the current time; if the clock is behind the newest version, 1 µs after that."""
        now = self._clock()
        names = [name for name in self.names() if (self.folder / name / MANIFEST).exists()]
        if not names:
            return now
        return max(now, created_at(names[0]) + timedelta(microseconds=1))

    def names(self) -> list[str]:
        """Return the names of all version folders, finished or not, newest first."""
        try:
            entries = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(self.folder, error) from error
        return sorted((name for name in entries if is_version_name(name)), reverse=True)

    def versions(self) -> list[Version]:
        """Return all finished versions, newest first; what cannot be read is skipped with one warning."""
        return list(self.newest_first())

    def newest_first(self) -> Iterator[Version]:
        """Yield finished versions, newest first, reading no more than is asked for."""
        for name in self.names():
            try:
                yield self.open(name)
            except ArtefactMissing:
                continue  # not finished, or retired meanwhile
            except ArtefactCorrupt as error:
                self.warn_once(name, error)

    def open(self, name: str) -> Version:
        """Return a version by its whole name.

        Raises:
            ArtefactMissing: it is not finished, or was retired meanwhile.
            ArtefactCorrupt: its manifest is damaged, or cannot be read.
        """
        try:
            data = read_document(self.folder / name / MANIFEST)
        except (FileNotFoundError, NotADirectoryError):
            raise ArtefactMissing(
                f"{name}/{MANIFEST} is missing", hint="wait until it is written, or restore it"
            ) from None
        return Version(name, self.folder / name, Manifest.from_json(data, name))

    def warn_once(self, name: str, error: LightModelError) -> None:
        """Log that a version is skipped and why, once for each version."""
        if name not in self._warned:
            self._warned.add(name)
            hint = f" ({error.hint})" if error.hint else ""
            logger.warning("skipped: %s%s", error.message, hint)

    def newest(self) -> Version:
        """Return the newest finished version.

        Raises:
            ArtefactMissing: there is none.
        """
        version = next(self.newest_first(), None)
        if version is None:
            raise ArtefactMissing(
                f"there is no {self.kind} in {self.folder}",
                hint=f"`{_MADE_BY[self.kind]}` makes one",
            )
        return version

    def get(self, name: str) -> Version:
        """Return a version by its name or a unique beginning of it.

        Raises:
            ArtefactMissing: none has that name, or more than one begins with it.
        """
        versions = self.versions()
        matches = [version for version in versions if version.name.startswith(name)]
        if len(matches) == 1 and name:
            return matches[0]
        if matches:
            raise ArtefactMissing(f"{len(matches)} versions of a {self.kind} begin with {name!r}")
        names = [version.name for version in versions]
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3]
        known = f"known are {', '.join(close)}" if close else f"{self.folder} holds none"
        raise ArtefactMissing(f"there is no {self.kind} {name!r}; {known}")

    def verify(self, version: Version, *names: str) -> None:
        """Check the signature and every file, or only the files named.

        Raises:
            ArtefactCorrupt: a file or the signature is wrong; the message names it.
        """
        manifest = version.manifest
        self.signer.check(manifest, f"{version.name}/{MANIFEST}")
        wrong = [
            name
            for name in names or manifest.files
            if not matches_entry(version.file(name), manifest.files[name])
        ]
        if wrong:
            absent = [name for name in wrong if not version.file(name).exists()]
            what = "is missing" if absent else "does not match the manifest"
            raise ArtefactCorrupt(
                f"{version.name}: {', '.join(sorted(absent or wrong))} {what}", hint=RESTORE
            )

    def sweep(self) -> list[str]:
        """Remove what killed writers left more than a day ago; return the folders' names."""
        removed = []
        limit = self._clock() - ABANDONED_AFTER
        for name in self.names():
            folder = self.folder / name
            if created_at(name) < limit and not (folder / MANIFEST).exists():
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(name)
        return removed


def splits_of(config: Config) -> Store:
    """Return the store of splits."""
    return Store(config.store.root / "preprocessed", "split", signer_of(config))


def models_of(config: Config) -> Store:
    """Return the store of models."""
    return Store(config.store.root / "model", "model", signer_of(config))


def retries_of(config: Config) -> Store:
    """Return the store of retries."""
    return Store(config.store.root / "retries", "retry", signer_of(config))


def signer_of(config: Config) -> Signer:
    """Return the signer with store.signing_key, if that is set."""
    key = config.store.signing_key
    return Signer(key.get_secret_value().encode() if key else None)
