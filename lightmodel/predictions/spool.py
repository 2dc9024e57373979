"""The spool: files of lines that wait on disk until a sink has them.

Each file ("segment") is written by one process, which holds its lock until it is complete. A segment
without a holder is complete, or its writer has died: either way it is anybody's to send.
"""

import errno
import fcntl
import io
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SEGMENT_BYTES = 1 << 20
SUFFIX = ".jsonl"


class Spool:
    """The end of the spool at which one process writes.

    Args:
        folder: of the segments of all processes; it exists.
        limit: bytes that all segments together may hold.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit
        self._file: io.FileIO | None = None
        self._size = 0
        self._opened = 0.0
        self._others = 0

    def append(self, data: bytes) -> None:
        """Write whole lines; when this returns, killing the process does not lose them.

        Raises:
            OSError: no room, in the spool or on the disk; none of `data` is in the spool.
        """
        if self._file is not None and self._size >= SEGMENT_BYTES:
            self.rest()
        if self._file is None:
            self._others = waiting_bytes(self.folder)
        if self._others + self._size + len(data) > self._limit:
            raise OSError(errno.ENOSPC, "the spool holds as much as log.spool_megabytes allows")
        file = self._file or self._open()
        try:
            _write_all(file, data)
        except OSError:
            self._take_back(file)
            raise
        self._size += len(data)

    def rest(self, age_s: float = 0.0) -> None:
        """Complete the segment that is open, if it has been for `age_s`: from now on it is sent."""
        if self._file is not None and time.monotonic() - self._opened >= age_s:
            self._file.close()
            self._file = None
            self._size = 0

    def _open(self) -> io.FileIO:
        while True:
            name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(3)}{SUFFIX}"
            file = io.FileIO(self.folder / name, "xb")
            if _locked(file) and os.fstat(file.fileno()).st_nlink:
                self._file, self._opened = file, time.monotonic()
                return file
            file.close()  # somebody took the empty file for a dead one's

    def _take_back(self, file: io.FileIO) -> None:
        """Cut off half a write; where even that fails, nobody writes behind it."""
        try:
            file.truncate(self._size)
            file.seek(self._size)
        except OSError:
            self.rest()


def _write_all(file: io.FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _locked(file: io.FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def waiting_bytes(folder: Path) -> int:
    """Count the bytes that wait in the spool."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # sent while we look
                total += entry.stat().st_size
    return total


def segments(folder: Path) -> list[Path]:
    """Give the segments of all processes, oldest first."""
    return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)


@contextmanager
def taken(segment: Path) -> Iterator[io.FileIO | None]:
    """Hold a segment for sending; None while its writer lives, or when somebody has sent it."""
    try:
        file = io.FileIO(segment, "rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file if _locked(file) and os.fstat(file.fileno()).st_nlink else None


def check_folder(folder: Path) -> None:
    """Make the folder, and see that a segment can be written and locked in it.

    Raises:
        OSError: it cannot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / f".trial-{os.getpid()}"
    try:
        with io.FileIO(trial, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _write_all(file, b"\n")
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)
