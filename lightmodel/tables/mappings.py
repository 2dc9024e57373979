"""Temporary files without a name that are mapped into memory, for what memory cannot hold.

The system writes their pages to the file and drops them where it needs the memory. Nothing is left of such
a file, however the process ends.
"""

import mmap
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from lightmodel.files import translate_os_errors

_KEPT_S = 0.01  # for which pages that were used count as memory of this process


class Mapping(mmap.mmap):
    """The whole of a file, and the folder it is in.

    Attributes:
        start: the address of its first byte.
    """

    folder: Path
    start: int

    def __contains__(self, address: object) -> bool:
        """Return whether an address in memory is one of the file."""
        return isinstance(address, int) and self.start <= address < self.start + len(self)


class _Mappings:
    """The mappings that arrays use."""

    def __init__(self) -> None:
        self._all = weakref.WeakSet[Mapping]()
        self._lock, self._is_watched = threading.Lock(), False

    def add(self, mapping: Mapping) -> None:
        """Add a mapping, whose pages are let go soon after they were used."""
        with self._lock:
            self._all.add(mapping)
            starts, self._is_watched = not self._is_watched, True
        if starts:
            threading.Thread(target=self._drop_pages, name="mapped pages", daemon=True).start()

    def folder_of(self, address: int | None) -> Path | None:
        """Return the folder of the file that is mapped to an address, if any."""
        return next((one.folder for one in list(self._all) if address in one), None)

    def _drop_pages(self) -> None:
        """Drop the pages that were used from this process, though not from the system's cache.

        A pass over a table would else make all of it memory of the process, for as long as nobody else
        needs any, and would be counted by those who watch it. What is used again comes from the cache.
        """
        while self._drop_once():
            time.sleep(_KEPT_S)

    def _drop_once(self) -> bool:
        with self._lock:
            for one in self._all:
                one.madvise(mmap.MADV_DONTNEED)
            self._is_watched = bool(self._all)
            return self._is_watched


_MAPPINGS = _Mappings()
folder_of = _MAPPINGS.folder_of


@contextmanager
def unnamed_file(folder: Path) -> Iterator[IO[bytes]]:
    """Yield a new file in a folder, to be written and mapped.

    Raises:
        LightModelError: it cannot be written, for the disk is full, say.
    """
    with translate_os_errors(folder / "a table"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            yield file


def mapped(file: IO[bytes], folder: Path, access: int) -> Mapping:
    """Return a file in a folder as memory, which lasts as long as the mapping is referred to."""
    mapping = Mapping(file.fileno(), 0, access=access)
    mapping.folder, mapping.start = folder, pa.py_buffer(mapping).address
    _MAPPINGS.add(mapping)
    return mapping
