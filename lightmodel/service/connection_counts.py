"""How many connections each worker holds, in a file that all workers of a service share."""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SLOT = struct.Struct("=ii")  # process id, connections
_SLOTS = 128  # twice the number of workers, which HUP replaces
_FILE = "connections"


class ConnectionCounts:
    """The number of this worker's connections, beside those of the others.

    Workers that name the same folder share the file; without a folder there is no other worker.
    """

    def __init__(self, folder: str) -> None:
        self._count = 0
        self._has_left = False
        self._slots = _open(folder)
        with _locked(folder):
            owners = [process for process, _ in _SLOT.iter_unpack(self._slots)]
            self._at = owners.index(0) * _SLOT.size
            self._write()

    def add(self, number: int) -> None:
        """Add to this worker's count."""
        self._count += number
        self._write()

    @property
    def own(self) -> int:
        """The number of this worker's connections."""
        return self._count

    def fewest_of_others(self) -> int:
        """Return the smallest number of connections of another worker; this one's if there is none."""
        return min(self._of_others(), default=self._count)

    def fair_share(self, waiting: int) -> int:
        """Return how many of the waiting connections are for this worker, so that all hold equally many."""
        counts = sorted([self._count, *self._of_others()])
        level, total = 0, waiting
        for workers, count in enumerate(counts, 1):
            if workers > 1 and level <= count:
                break
            total += count
            level = -(-total // workers)
        return max(0, min(waiting, level - self._count))

    def _of_others(self) -> list[int]:
        slots = enumerate(_SLOT.iter_unpack(self._slots))
        return [count for at, (process, count) in slots if process and at * _SLOT.size != self._at]

    def leave(self) -> None:
        """Take this worker out: it accepts no more."""
        self._has_left = True
        _SLOT.pack_into(self._slots, self._at, 0, 0)

    def _write(self) -> None:
        if not self._has_left:
            _SLOT.pack_into(self._slots, self._at, os.getpid(), self._count)


def forget(folder: str, process: int) -> None:
    """Take out a worker that has ended, by its process id."""
    slots = _open(folder)
    with _locked(folder):
        for at, (owner, _) in enumerate(_SLOT.iter_unpack(slots)):
            if owner == process:
                _SLOT.pack_into(slots, at * _SLOT.size, 0, 0)


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Lock the file while a slot is chosen."""
    if not folder:
        yield
        return
    with (Path(folder) / _FILE).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _open(folder: str) -> mmap.mmap:
    size = _SLOT.size * _SLOTS
    if not folder:
        return mmap.mmap(-1, size)
    file = os.open(Path(folder) / _FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.ftruncate(file, size)
        return mmap.mmap(file, size)
    finally:
        os.close(file)
