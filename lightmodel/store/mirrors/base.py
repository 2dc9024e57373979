"""The port through which copies of published artefacts are kept elsewhere."""

from typing import Protocol


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
        """Give the names of all objects that are there now."""
        ...

    def read(self, name: str, size: int = 0) -> bytes | None:
        """Give an object of about `size` bytes, which say how long to wait; None where there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Lay an object there, over the one of that name."""
        ...
