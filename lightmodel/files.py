"""Atomic writes, file hashes, file locks, and the translation of errors of the operating system."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from lightmodel.errors import ConfigError, StorageFull

PART = ".part"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# EBUSY: the file is a mount of its own, as one that is passed into a container
_OF_THE_FILE = frozenset({errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EBUSY})
_REFUSED = _OF_THE_FILE | {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
_FOLDERS = "set store.root and store.work"
OTHER_FILE = "name another file"


@contextmanager
def atomic_path(path: Path, hint: str = _FOLDERS) -> Iterator[Path]:
    """Yield a temporary path; on success its file replaces `path` atomically and durably.

    `hint` says what to do where the folder cannot be written to.

    Raises:
        StorageFull: the disk, or the quota on it, is full; the temporary file is removed.
        ConfigError: the folder cannot be written to.
    """
    part = _part_of(path)
    with translate_os_errors(path, hint):
        try:
            yield part
            _move(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


def move_durably(source: Path, target: Path) -> None:
    """Move a complete file to a name that the user gave, atomically and durably.

    Raises:
        StorageFull, ConfigError: see `translate_os_errors`.
    """
    with translate_os_errors(target, OTHER_FILE):
        _move(source, target)


def _move(source: Path, target: Path) -> None:
    _flush(source)
    source.replace(target)
    with suppress(OSError):  # some file systems cannot flush a folder, and do not need it
        _flush(target.parent)


def _part_of(path: Path) -> Path:
    """Return the temporary path of a file that is written atomically."""
    return path.with_name(path.name + PART)


def check_writable(path: Path) -> None:
    """Check that a file that the user names can be written later, and make its folder.

    Raises:
        StorageFull, ConfigError: see `translate_os_errors`.
    """
    with translate_os_errors(path, OTHER_FILE):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part_of(path)
        part.touch()
        part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file atomically; see `atomic_path`."""
    with atomic_path(path) as part:
        part.write_bytes(data)


def is_full(error: OSError) -> bool:
    """Return whether an error means that the disk, or the quota on it, is full."""
    return error.errno in _FULL


@contextmanager
def translate_os_errors(path: Path, hint: str = _FOLDERS) -> Iterator[None]:
    """Turn operating system errors while `path` is written into errors with a hint.

    `hint` says what else to do where the file cannot be written.

    Raises:
        StorageFull: the disk, or the quota on it, is full.
        ConfigError: the folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StorageFull(
                f"no room left to write {path.name} in {path.parent}: the disk or its quota is full",
                hint="free some space and run again: downloads are kept; "
                "`python -m lightmodel models retire` removes old versions",
            ) from error
        if error.errno in _REFUSED or _is_nowhere(error, path):
            place = path if error.errno in _OF_THE_FILE else path.parent
            message = f"{place} cannot be written to: {error.strerror}"
            raise ConfigError(message, hint=f"check who owns the folder, or {hint}") from error
        raise


def _is_nowhere(error: OSError, path: Path) -> bool:
    """Return whether there is no place for `path`: its folder is gone, or cannot hold files of ours.

    That another file is missing, which is read to write this one, is an error of another kind.
    """
    missing = Path(str(error.filename).removesuffix(PART))
    return error.errno == errno.ENOENT and missing in {path, *path.parents}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_lock(path: Path, timeout_s: float = -1) -> AbstractContextManager[object]:
    """Lock a file, and return the context manager that unlocks it; so does the end of the process.

    Raises:
        TimeoutError: another process still holds it after `timeout_s` seconds; negative: no limit.
        StorageFull, ConfigError: see `translate_os_errors`.
    """
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        from filelock import FileLock  # slow to import, and commands that only read need none

        return FileLock(path).acquire(timeout=timeout_s)
