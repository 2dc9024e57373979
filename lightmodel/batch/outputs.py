"""Where answers go: into a file, or into an object in S3 or Azure Storage."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from lightmodel.batch.inputs import InputFiles
from lightmodel.config import Config
from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.files import check_writable, move_durably
from lightmodel.sources.download import TransientFailure
from lightmodel.sources.factory import scheme_of
from lightmodel.sources.local import path_of
from lightmodel.sources.object_store import ObjectStore, RequestRefused, open_store
from lightmodel.sources.objects import is_named

_ERRORS = "-errors.jsonl"


class Output(Protocol):
    """A place for the answers, and beside it one for the rows that break the contract."""

    @property
    def path(self) -> Path:
        """A file of this machine; beside it lies what is unfinished."""
        ...

    @property
    def name(self) -> str:
        """What the user calls it, without secrets; its ending decides on the format."""
        ...

    @property
    def errors_name(self) -> str:
        """The same of the place for the rows that break the contract."""
        ...

    def check(self) -> None:
        """Check that it can be written later.

        Raises:
            ConfigError, SourceUnavailable, StorageFull: it cannot.
        """
        ...

    def is_in(self, source: str, files: InputFiles) -> bool:
        """Return whether one of the places is a part of the input."""
        ...

    def put(self, answers: Path) -> None:
        """Publish a complete file of answers at once; it may be moved.

        Raises:
            ConfigError, SourceUnavailable, StorageFull: it cannot be written; the call may be repeated.
        """
        ...

    def put_errors(self, rows: Path | None) -> None:
        """Publish a file of bad rows likewise; None if there are none: an earlier job's file is removed."""
        ...


@dataclass(frozen=True)
class FileOutput:
    """A file of this machine; see `Output`."""

    path: Path

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def errors_name(self) -> str:
        """The path of the rows that break the contract."""
        return str(self._errors)

    @property
    def _errors(self) -> Path:
        return self.path.with_name(f"{self.path.stem}{_ERRORS}")

    def check(self) -> None:
        """Check that it can be written later."""
        check_writable(self.path)

    def is_in(self, source: str, files: InputFiles) -> bool:
        """Return whether one of the places is a part of the input."""
        del source
        read = {path.resolve() for path in files.paths}
        return not read.isdisjoint({self.path.resolve(), self._errors.resolve()})

    def put(self, answers: Path) -> None:
        """Move a complete file of answers to its place."""
        move_durably(answers, self.path)

    def put_errors(self, rows: Path | None) -> None:
        """Move a file of bad rows to its place, or remove what is there."""
        if rows is None:
            self._errors.unlink(missing_ok=True)
        else:
            move_durably(rows, self._errors)


@dataclass(frozen=True)
class ObjectOutput:
    """An object in S3 or Azure Storage, which is uploaded when it is complete; see `Output`."""

    uri: str
    path: Path
    store: ObjectStore

    @property
    def name(self) -> str:
        """The address."""
        return redacted(self.uri)

    @property
    def errors_name(self) -> str:
        """The address of the rows that break the contract."""
        return redacted(self._errors)

    @property
    def _errors(self) -> str:
        return self.uri.removesuffix(PurePosixPath(self.uri).suffix) + _ERRORS

    def check(self) -> None:
        """Ask the store about the object: what is wrong with credentials shows now."""
        check_writable(self.path)
        with self._translated(), suppress(FileNotFoundError):
            self.store.info(_key(self.uri))

    def is_in(self, source: str, files: InputFiles) -> bool:
        """Return whether one of the places is a part of the input."""
        del files
        return any(is_named(source, uri) for uri in (self.uri, self._errors))

    def put(self, answers: Path) -> None:
        """Upload a complete file of answers."""
        with self._translated():
            self.store.upload(_key(self.uri), answers)

    def put_errors(self, rows: Path | None) -> None:
        """Upload a file of bad rows, or remove what is there."""
        with self._translated():
            if rows is not None:
                self.store.upload(_key(self._errors), rows)
            else:
                with suppress(FileNotFoundError):
                    self.store.info(_key(self._errors))
                    self.store.remove(_key(self._errors))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ConfigError(
                f"{self.name}: there is no such bucket or container", hint="create it"
            ) from error
        except IsADirectoryError as error:
            raise ConfigError(
                f"{self.name} is a folder", hint=f"name an object: {self.store.example}"
            ) from error
        except RequestRefused as error:
            raise ConfigError(f"{self.name}: {error.reason}", hint=error.hint) from error
        except TransientFailure as error:
            raise SourceUnavailable(
                f"{self.name}: {error.reason}",
                hint="run the same command again: what was scored is kept",
            ) from error


def open_output(uri: str, config: Config) -> Output:
    """Return the output that a path or an address names, without connecting to it.

    Raises:
        ConfigError: nothing can be written there.
    """
    scheme = scheme_of(uri)
    if scheme == "file":
        return FileOutput(path_of(uri))
    name = PurePosixPath(_key(uri)).name
    if scheme not in {"s3", "az"} or _key(uri).count("/") == 0 or uri.endswith("/"):
        raise ConfigError(
            f"{redacted(uri)}: answers cannot be written there",
            hint="name a file, or an object in a bucket: s3://bucket/scores.csv, az://container/scores.csv",
        )
    folder = config.store.work / "score" / hashlib.sha256(uri.encode()).hexdigest()[:16]
    return ObjectOutput(uri, folder / name, open_store(uri, config.data.timeout_s))


def _key(uri: str) -> str:
    return uri.partition("://")[2]
