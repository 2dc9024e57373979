"""The lock of a store: one run at a time writes to it."""

from contextlib import AbstractContextManager
from pathlib import Path

from lightmodel.errors import AlreadyRunning
from lightmodel.files import file_lock

LOCK = ".run.lock"


def run_lock(root: Path, patience_s: float = 0.0) -> AbstractContextManager[object]:
    """Lock the store under `root` for a `with` block, or until the process dies.

    Raises:
        AlreadyRunning: another run holds the lock for longer than `patience_s` seconds.
    """
    try:
        return file_lock(root / LOCK, patience_s)
    except TimeoutError:
        raise AlreadyRunning(
            f"another run is using the store {root.resolve().name}",
            hint="wait for it to end, or give this run a store.root of its own",
        ) from None
