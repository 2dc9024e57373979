"""The stores that a configuration names, what signs them, and the lock of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lightmodel.config import Config
from lightmodel.errors import AlreadyRunning
from lightmodel.files import translate_os_errors
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store

LOCK = ".run.lock"


def splits_of(config: Config) -> Store:
    """Return the store of splits."""
    return Store(config.store.root / "preprocessed", "split", signer_of(config))


def models_of(config: Config) -> Store:
    """Return the store of models."""
    return Store(config.store.root / "model", "model", signer_of(config))


def retries_of(config: Config) -> Store:
    """Return the store of what retries tried."""
    return Store(config.store.root / "retries", "retry", signer_of(config))


def signer_of(config: Config) -> Signer:
    """Return what signs and checks; without a key it does neither."""
    key = config.store.signing_key
    return Signer(key.get_secret_value().encode() if key else None)


@contextmanager
def run_lock(root: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Lock the store under `root`; the system releases it when the process dies.

    Args:
        root: of the store.
        patience_s: seconds to wait for another run to end.

    Raises:
        AlreadyRunning: another run holds it.
    """
    path = root / LOCK
    with translate_os_errors(path):
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=patience_s)
        except Timeout:
            raise AlreadyRunning(
                f"another run is at work on the store {root.resolve().name}",
                hint="wait for it to end, or give this run a store.root of its own",
            ) from None
    try:
        yield
    finally:
        lock.release()
