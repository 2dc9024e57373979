"""One run at a time for each store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lightmodel.errors import AlreadyRunning
from lightmodel.store.files import told

LOCK = ".run.lock"


@contextmanager
def run_lock(root: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of the store under `root`; the system releases it when the process dies.

    Args:
        root: of the store.
        patience_s: seconds to wait for another run to end.

    Raises:
        AlreadyRunning: another run holds it.
    """
    path = root / LOCK
    with told(path):
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
