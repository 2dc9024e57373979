"""Where copies of published artefacts are kept: objects below a prefix of a store."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from lightmodel.config import Config
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.sources.download import Transient
from lightmodel.sources.object_store import ObjectStore, Refused, open_store

IN_THE_CHAIN_S, ASKED_FOR_S = 5.0, 30.0  # a login by Azure's command line takes several seconds


@dataclass
class Mirror:
    """Objects by name, such as `<version>/model.joblib`, below a prefix of a bucket or container.

    An object is there whole or not at all, and a writer killed in the middle leaves the one before.
    Nothing is tried twice: a mirror that does not answer costs each call a few seconds at most, besides
    the time that its bytes take. Nothing is asked before the first call. Its calls raise ConfigError
    where the address, the credentials or an extra are at fault, and SourceUnavailable where trying again
    later may help. No secret of the address is in a message.
    """

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
        """Return an object of about `size` bytes, which say how long to wait; None where there is none."""
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


def mirrors_of(config: Config, timeout_s: float) -> list[Mirror]:
    """Return the mirrors that store.mirrors names; none is asked anything yet."""
    return [
        Mirror(open_store(uri, timeout_s), uri.partition("://")[2].rstrip("/"))
        for uri in config.store.mirrors
    ]


def named_mirrors(config: Config) -> list[Mirror]:
    """Return the mirrors, for who needs one.

    Raises:
        ConfigError: store.mirrors is empty.
    """
    if not config.store.mirrors:
        raise ConfigError(
            "no mirror is set",
            hint='[store] mirrors = ["s3://bucket/prefix"], or az://container/prefix',
        )
    return mirrors_of(config, ASKED_FOR_S)
