"""Where copies of published artefacts are kept: the protocol, and objects below a prefix of a store."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.sources.download import Transient
from lightmodel.sources.object_store import ObjectStore, Refused


class Mirror(Protocol):
    """Objects by name, such as `<version>/model.joblib`, below the one address of the mirror.

    An object is there whole or not at all, and a writer killed in the middle leaves the one before.
    Nothing is tried twice: a mirror that does not answer costs each call a few seconds at most, besides
    the time that its bytes take. Nothing is asked before the first call. Its calls raise ConfigError
    where the address, the credentials or an extra are at fault, and SourceUnavailable where trying again
    later may help. No secret of the address is in a message.
    """

    @property
    def uri(self) -> str:
        """Its address, without secrets."""
        ...

    def names(self) -> frozenset[str]:
        """Return the names of all objects that are there now."""
        ...

    def read(self, name: str, size: int = 0) -> bytes | None:
        """Return an object of about `size` bytes, which say how long to wait; None where there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write an object, over the one of that name."""
        ...


@dataclass(frozen=True)
class ObjectMirror:
    """One prefix of a bucket, or of a container; see `Mirror`."""

    store: ObjectStore
    root: str

    @property
    def uri(self) -> str:
        """Its address, without secrets."""
        return self.store.shown

    def names(self) -> frozenset[str]:
        """Return the names of all objects that are there now."""
        with self._translated():
            paths = self.store.paths(self.root)
        return frozenset(path.removeprefix(f"{self.root}/") for path in paths)

    def read(self, name: str, size: int = 0) -> bytes | None:
        """Return an object of about `size` bytes; None where there is none."""
        with self._translated():
            try:
                return self.store.read_whole(f"{self.root}/{name}", size)
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write an object, over the one of that name."""
        with self._translated():
            self.store.write(f"{self.root}/{name}", data)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ConfigError(
                f"{self.uri}: there is no such bucket or container",
                hint="make it, or check store.mirrors letter by letter",
            ) from error
        except Refused as error:
            raise ConfigError(f"{self.uri}: {error.reason}", hint=error.hint) from error
        except Transient as error:
            raise SourceUnavailable(
                f"{self.uri}: {error.reason}", hint="`python -m lightmodel models push` tries again"
            ) from error
