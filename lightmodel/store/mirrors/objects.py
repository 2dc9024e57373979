"""A mirror in an object store that fsspec reaches; each store's own module says how."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

SLOW_BYTES_PER_S = 1 << 18


@dataclass(frozen=True)
class Bucket:
    """What differs between stores.

    Attributes:
        files: gives fsspec's file system; connects the first time.
        found: lists the paths of the objects below a path, as a coroutine.
        faults: turns what the store's library raises into this project's errors; FileNotFoundError
            is left as it is.
        missing: the error for a bucket that is not there.
    """

    files: Callable[[], Any]
    found: Callable[[Any, str], Any]
    faults: Callable[[], AbstractContextManager[None]]
    missing: Callable[[], Exception]


@dataclass(frozen=True)
class ObjectMirror:
    """One prefix of a bucket; see `Mirror`."""

    uri: str
    root: str
    bucket: Bucket
    timeout_s: float

    def names(self) -> frozenset[str]:
        """Give the names of all objects that are there now."""
        try:
            paths: Iterable[str] = self._call(self.bucket.found, self._files(), self.root)
        except FileNotFoundError as error:
            raise self.bucket.missing() from error
        return frozenset(path.removeprefix(f"{self.root}/") for path in paths)

    def read(self, name: str, size: int = 0) -> bytes | None:
        """Give an object of about `size` bytes; None where there is none."""
        try:
            return bytes(self._call(self._files()._cat_file, f"{self.root}/{name}", size=size))
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Lay an object there, over the one of that name."""
        path = f"{self.root}/{name}"
        try:
            self._call(self._files()._pipe_file, path, data, size=len(data))
        except FileNotFoundError as error:
            raise self.bucket.missing() from error

    def _files(self) -> Any:  # noqa: ANN401 — fsspec has no types
        with self.bucket.faults():
            return self.bucket.files()

    def _call(self, call: Callable[..., Any], *words: object, size: int = 0) -> Any:  # noqa: ANN401
        """Run a coroutine within a limit: the libraries' own are minutes, retries included."""
        from fsspec.asyn import sync

        limit_s = self.timeout_s + size / SLOW_BYTES_PER_S
        with self.bucket.faults():
            return sync(self._files().loop, call, *words, timeout=limit_s)
