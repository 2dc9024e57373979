"""One object of an object store as a file to bring here; the store's library does the talking."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lightmodel.config.redact import redacted
from lightmodel.errors import ConfigError
from lightmodel.sources.cache import Partial, State
from lightmodel.sources.download import Answer, Transient

BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class StoredObject:
    """One object.

    Attributes:
        describe: asks for its state; the size is always known.
        read: gives the bytes from one offset up to another.
    """

    describe: Callable[[], State]
    read: Callable[[int, int], bytes]

    @contextlib.contextmanager
    def open(self, known: State | None, partial: Partial | None) -> Iterator[Answer]:
        """Ask for the object, or for its rest; see `Remote`."""
        state = self.describe()
        if known is not None and state.is_same_as(known):
            yield Answer(known, unchanged=True)
            return
        goes_on = partial is not None and state.is_same_as(partial.state)
        start = min(partial.size, state.size or 0) if partial is not None and goes_on else 0
        yield Answer(state, self._blocks(state, start), start)

    def _blocks(self, state: State, start: int) -> Iterator[bytes]:
        size = state.size or 0
        for offset in range(start, size, BLOCK_BYTES):
            yield self.read(offset, min(offset + BLOCK_BYTES, size))
        # each block was a request of its own: were they all answered from one object?
        if not self.describe().is_same_as(state):
            raise Transient("the object was replaced while it was read")


@dataclass(frozen=True)
class Unopened:
    """An object whose store's library is loaded only when the object has to be asked for."""

    reach: Callable[[], StoredObject]

    def open(
        self, known: State | None, partial: Partial | None
    ) -> contextlib.AbstractContextManager[Answer]:
        """Ask for the object, or for its rest; see `Remote`."""
        return self.reach().open(known, partial)


def path_in_store(uri: str, example: str) -> str:
    """Give the bucket and key, or container and blob, that an address names.

    Raises:
        ConfigError: one of the two is missing.
    """
    path = uri.partition("://")[2]
    first, _, rest = path.partition("/")
    if not first or not rest or rest.endswith("/"):
        raise ConfigError(f"{redacted(uri)} names no object", hint=f"write {example}")
    return path
