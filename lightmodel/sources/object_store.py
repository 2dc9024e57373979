"""Objects in a store that fsspec reaches, as tables to fetch and as places for copies of models."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, ClassVar

from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, DataError
from lightmodel.sources.base import Fetched, FetchOptions
from lightmodel.sources.cache import FileState, PartialFile, safe_name
from lightmodel.sources.download import Answer, Transient, download

BLOCK_BYTES = 4 << 20
SLOW_BYTES_PER_S = 1 << 16


class Refused(Exception):
    """The store does not let anybody do this, or does not understand it: no matter of waiting."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


@dataclass
class ObjectStore(ABC):
    """Objects by path, such as `bucket/folder/table.csv`; it connects when it is first asked.

    Every call ends within `timeout_s` and the time that its bytes take. It raises FileNotFoundError
    where there is no such object or bucket, Refused, Transient for what may pass, and ConfigError
    where credentials, settings or an extra are missing. No secret is in a message.

    Attributes:
        shown: the address, without secrets, for messages.
        timeout_s: seconds to wait for an answer.
    """

    shown: str
    timeout_s: float
    _files: Any = field(default=None, init=False)
    etag_key: ClassVar[str]
    modified_key: ClassVar[str]

    def info(self, path: str) -> FileState | None:
        """Return the state of an object; None for a folder."""
        info = self._call(lambda files: files._info(path, refresh=True))
        if info["type"] == "directory":
            return None
        name = safe_name(PurePosixPath(path).name)
        etag, modified = str(info[self.etag_key]), str(info[self.modified_key])
        return FileState(name, int(info["size"]), etag, modified)

    def read(self, path: str, start: int, end: int) -> bytes:
        """Return an object's bytes from `start` to `end`."""
        return bytes(
            self._call(lambda files: files._cat_file(path, start=start, end=end), end - start)
        )

    def read_whole(self, path: str, size: int) -> bytes:
        """Return an object of about `size` bytes, which say how long to wait."""
        return bytes(self._call(lambda files: files._cat_file(path), size))

    def write(self, path: str, data: bytes) -> None:
        """Write an object, over the one of that name."""
        self._call(lambda files: files._pipe_file(path, data), len(data))

    def paths(self, root: str) -> list[str]:
        """Return the paths of all objects below `root`."""
        return list(self._call(lambda files: self._list(files, root)))

    def _call(self, ask: Callable[[Any], Awaitable[Any]], size: int = 0) -> Any:  # noqa: ANN401
        """Run a coroutine within a limit: the libraries' own are minutes, retries included."""
        try:
            if self._files is None:
                self._files = self._connect()
            from fsspec.asyn import sync

            limit_s = self.timeout_s + size / SLOW_BYTES_PER_S
            return sync(self._files.loop, ask, self._files, timeout=limit_s)
        except (FileNotFoundError, ConfigError):
            raise
        except Exception as error:
            raise self._translated(error) from error

    @abstractmethod
    def _connect(self) -> Any:  # noqa: ANN401 — fsspec has no types
        """Return fsspec's file system."""

    @abstractmethod
    async def _list(self, files: Any, root: str) -> list[str]:  # noqa: ANN401 — fsspec has no types
        """Return the paths below `root`."""

    @abstractmethod
    def _translated(self, error: Exception) -> Exception:
        """Return what an error of the store's library means."""


@dataclass(frozen=True)
class ObjectSource:
    """The source of one store's addresses."""

    store: Callable[[str, float], ObjectStore]
    example: str

    def fetch(self, uri: str, options: FetchOptions) -> Fetched:
        """Download the object at `uri`."""
        path = uri.partition("://")[2]
        bucket, _, key = path.partition("/")
        if not bucket or not key or key.endswith("/"):
            raise ConfigError(f"{redacted(uri)} names no object", hint=f"write {self.example}")
        store = self.store(redacted(uri), options.timeout_s)
        return download(StoredObject(store, path), uri, options)


@dataclass(frozen=True)
class StoredObject:
    """One object of a store; see `Remote`."""

    store: ObjectStore
    path: str

    @contextlib.contextmanager
    def open(self, known: FileState | None, partial: PartialFile | None) -> Iterator[Answer]:
        """Ask for the object, or for its rest; see `Remote`."""
        state = self._state()
        if known is not None and state.is_same_as(known):
            yield Answer(known, unchanged=True)
            return
        resumes = partial is not None and state.is_same_as(partial.state)
        start = min(partial.size, state.size or 0) if partial is not None and resumes else 0
        yield Answer(state, self._blocks(state, start), start)

    def _state(self) -> FileState:
        with self._translated():
            state = self.store.info(self.path)
        if state is None:
            raise DataError(
                f"{self.store.shown} is a folder, and a table is one object",
                hint="name the object in it",
            )
        return state

    def _blocks(self, state: FileState, start: int) -> Iterator[bytes]:
        size = state.size or 0
        for offset in range(start, size, BLOCK_BYTES):
            end = min(offset + BLOCK_BYTES, size)
            with self._translated():
                block = self.store.read(self.path, offset, end)
            yield block
        # each block was a request of its own: were they all answered from one object?
        if not self._state().is_same_as(state):
            raise Transient("the object was replaced while it was read")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise DataError(
                f"{self.store.shown}: there is no such object",
                hint="check the address letter by letter",
            ) from error
        except Refused as error:
            raise DataError(f"{self.store.shown}: {error.reason}", hint=error.hint) from error
