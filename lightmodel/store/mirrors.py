"""Mirrors: copies of published artefacts, as objects below a prefix in S3 or Azure Blob."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from lightmodel.config import Config
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.sources.download import TransientFailure
from lightmodel.sources.object_store import ObjectStore, RequestRefused, open_store

CHAIN_TIMEOUT_S, COMMAND_TIMEOUT_S = 5.0, 30.0  # logging in by Azure's CLI takes seconds


@dataclass
class Mirror:
    """Objects by name, such as `<version>/model.joblib`, below a prefix of a bucket or container.

    An object is written whole or not at all; a writer that is killed leaves the previous one.
    Calls are not retried: a mirror that is down costs each call a few seconds at most, besides the time
    of the transfer. The first call connects. Calls raise ConfigError where the address, the credentials
    or an optional library are at fault, and SourceUnavailable where a later try may help. No message
    contains a secret of the address.
    """

    store: ObjectStore
    root: str

    @property
    def uri(self) -> str:
        """The mirror's address, without secrets."""
        return self.store.safe_uri

    def names(self) -> frozenset[str]:
        """Return the names of all objects in the mirror."""
        with self._translate_errors():
            paths = self.store.paths(self.root)
        return frozenset(path.removeprefix(f"{self.root}/") for path in paths)

    def read(self, name: str, size: int = 0) -> bytes | None:
        """Return an object, or None; its approximate `size` in bytes sets the time limit."""
        with self._translate_errors():
            try:
                return self.store.read_whole(f"{self.root}/{name}", size)
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write an object, replacing any of the same name."""
        with self._translate_errors():
            self.store.write(f"{self.root}/{name}", data)

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ConfigError(
                f"{self.uri}: there is no such bucket or container",
                hint="create it, or check the spelling in store.mirrors",
            ) from error
        except RequestRefused as error:
            raise ConfigError(f"{self.uri}: {error.reason}", hint=error.hint) from error
        except TransientFailure as error:
            raise SourceUnavailable(
                f"{self.uri}: {error.reason}", hint="`python -m lightmodel models push` tries again"
            ) from error


def mirrors_of(config: Config, timeout_s: float) -> list[Mirror]:
    """Return the mirrors that store.mirrors names, without connecting to them."""
    return [
        Mirror(open_store(uri, timeout_s), uri.partition("://")[2].rstrip("/"))
        for uri in config.store.mirrors
    ]


def required_mirrors(config: Config) -> list[Mirror]:
    """Return the mirrors for a command that needs at least one.

    Raises:
        ConfigError: store.mirrors is empty.
    """
    if not config.store.mirrors:
        raise ConfigError(
            "store.mirrors is empty",
            hint='[store] mirrors = ["s3://bucket/prefix"], or az://container/prefix',
        )
    return mirrors_of(config, COMMAND_TIMEOUT_S)
