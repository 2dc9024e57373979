"""Files that a reader sees whole or not at all, their hashes, and what the system refuses to write."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from lightmodel.errors import ConfigError, StorageFull

PART = ".part"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path to write to; what was written there becomes `path`, on disk, in one step.

    Raises:
        StorageFull: the disk is full; nothing is left behind.
        ConfigError: the folder cannot be written to.
    """
    part = path.with_name(path.name + PART)
    with translate_os_errors(path):
        try:
            yield part
            _flush(part)
            part.replace(path)
            with suppress(OSError):  # some file systems cannot flush a folder, and need not
                _flush(path.parent)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file in one step; see `atomic_path`."""
    with atomic_path(path) as part:
        part.write_bytes(data)


@contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Translate what the system refuses while `path` is written.

    Raises:
        StorageFull: the disk, or the quota on it, is full.
        ConfigError: the folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(
                f"no room left to write {path.name} in {path.parent}: the disk or its quota is full",
                hint="free some space and run again: what was downloaded is kept; "
                "`python -m lightmodel models retire` removes old versions",
            ) from error
        if error.errno in _REFUSED:
            raise ConfigError(
                f"{path.parent} cannot be written to: {error.strerror}",
                hint="check who owns the folder, or set store.root and store.work",
            ) from error
        raise


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_lock(path: Path, timeout_s: float = -1) -> AbstractContextManager[object]:
    """Lock a file, and return what unlocks it at its end; the system does when the process dies.

    Raises:
        filelock.Timeout: another process holds it, and for longer than `timeout_s`; negative: wait.
        StorageFull, ConfigError: see `translate_os_errors`.
    """
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path).acquire(timeout=timeout_s)
