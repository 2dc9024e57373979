"""Writing files so that a reader sees a whole one or none."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lightmodel.errors import LightModelError, StorageFull

PART = ".part"
_BLOCK = 1 << 20


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; what was written there becomes `path`, on disk, in one step.

    Raises:
        StorageFull: the disk is full; nothing is left behind.
        LightModelError: the folder cannot be written to.
    """
    part = path.with_name(path.name + PART)
    with told(path):
        try:
            yield part
            _flush(part)
            part.replace(path)
            _flush_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the system says of a failed write into words."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StorageFull(
                f"no room left to write {path.name} in {path.parent}",
                hint="free some space; `python -m lightmodel models retire` removes old versions",
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise LightModelError(
                f"{path.parent} cannot be written to: {error.strerror}",
                hint="check who owns the folder, or set store.root and store.work",
            ) from error
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step."""
    with whole_file(path) as part:
        part.write_bytes(data)


def sha256_of(path: Path) -> str:
    """Hash a file without reading it into memory as a whole."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Put the folder's entry on disk as well; some file systems cannot, and need not."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
