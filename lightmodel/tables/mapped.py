"""Tables and matrices in temporary files that are mapped into memory, for what memory cannot hold.

The system writes their pages to the file and drops them where it needs the memory. A file has no name, so
that nothing is left of it, however the process ends. What is made of a column in such a file goes into
one too (`moved_with`), so that all other code works on tables, wherever these are.
"""

import mmap
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import Mask, Matrix
from lightmodel.contract.matrices import empty_matrix, is_large
from lightmodel.files import translate_os_errors

_CHUNK_BYTES = (
    16 << 20
)  # of all columns together; each chunk of each costs some 500 bytes of memory
_ZEROS = bytes(1 << 20)
_KEPT_S = 0.01  # for which pages that were read count as memory of this process


class _Mapping(mmap.mmap):
    """The whole of a file that was written before, and the folder it is in."""

    folder: Path
    start: int  # the address of its first byte

    def __contains__(self, address: object) -> bool:
        """Return whether an address in memory is one of the file."""
        return isinstance(address, int) and self.start <= address < self.start + len(self)


class _Mappings:
    """The mappings that arrays use."""

    def __init__(self) -> None:
        self._all = weakref.WeakSet[_Mapping]()
        self._lock, self._is_watched = threading.Lock(), False

    def add(self, mapping: _Mapping) -> None:
        """Add a mapping, whose pages are let go soon after they were read."""
        with self._lock:
            self._all.add(mapping)
            starts, self._is_watched = not self._is_watched, True
        if starts:
            threading.Thread(target=self._drop_pages, name="mapped pages", daemon=True).start()

    def folder_of(self, columns: Iterable[pa.ChunkedArray]) -> Path | None:
        """Return the folder of a file in which cells of one of these columns are, if any."""
        mappings = list(self._all)
        for column in columns if mappings else ():
            first = next(_addresses(column), None)
            for one in mappings:
                if first in one:
                    return one.folder
        return None

    def _drop_pages(self) -> None:
        """Drop the pages that were read from this process, though not from the system's cache.

        A pass over a table would else make all of it memory of the process, for as long as nobody else
        needs any, and would be counted by those who watch it. What is read again comes from the cache.
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


def _addresses(column: pa.ChunkedArray) -> Iterator[int]:
    """Yield the address of the cells of each chunk that has some."""
    for chunk in column.chunks:
        yield from [one.address for one in chunk.buffers() if one is not None and one.size][-1:]


def mapped_table(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path) -> pa.Table:
    """Return the rows of batches of one schema as a table whose cells are in a file of `folder`.

    Raises:
        LightModelError: the file cannot be written, for the disk is full, say.
    """
    with translate_os_errors(folder / "a table"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            with pa.ipc.new_file(pa.PythonFile(file, "w"), schema) as writer:
                for batch in _joined(batches):
                    writer.write_batch(batch)
            file.flush()
            mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
    buffer = pa.py_buffer(mapping)
    mapping.folder, mapping.start = folder, buffer.address
    _MAPPINGS.add(mapping)
    return pa.ipc.open_file(buffer).read_all()


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of small batches in larger ones."""
    parts, size = list[pa.RecordBatch](), 0
    for batch in batches:
        parts.append(batch)
        size += batch.nbytes
        if size >= _CHUNK_BYTES:
            yield pa.concat_batches(parts)
            parts, size = [], 0
    if parts:
        yield pa.concat_batches(parts)


def moved_with(values: pa.ChunkedArray, before: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return what was made of a column, in a mapped file if that was in one."""
    home = _MAPPINGS.folder_of([before])
    if home is None or _MAPPINGS.folder_of([values]):
        return values
    schema = pa.schema([("", values.type)])
    batches = (pa.record_batch([chunk], schema=schema) for chunk in values.chunks)
    return mapped_table(batches, schema, home).column(0)


def rows_where(table: pa.Table, mask: Mask) -> pa.Table:
    """Return the rows of a (rows,) mask, in a mapped file if the table is in one."""
    home = _MAPPINGS.folder_of(table.columns)
    if home is None:
        return table.filter(pa.array(mask))
    return mapped_table(_filtered(table, mask), table.schema, home)


def _filtered(table: pa.Table, mask: Mask) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in table.to_reader():
        yield batch.filter(pa.array(mask[start : start + batch.num_rows]))
        start += batch.num_rows


def mapped_matrix(rows: int, columns: int, folder: Path) -> Matrix:
    """Return a (rows, columns) matrix of zeros in a file of `folder`, row after row.

    Raises:
        LightModelError: the disk has no room for it.
    """
    with translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _allocate(file, max(1, rows * columns) * 8)
            mapped = np.memmap(file, np.float64, "r+", shape=(rows, columns))
            return np.asarray(mapped)  # an estimator that keeps it stores plain values


def new_matrix(rows: int, columns: int, folder: Path) -> Matrix:
    """Return a (rows, columns) matrix to be filled, column-major; a large one is in a file of `folder`.

    Raises:
        LightModelError: the disk has no room for it.
    """
    if is_large(rows, columns):
        return mapped_matrix(columns, rows, folder).T
    return empty_matrix(rows, columns)


def _allocate(file: IO[bytes], size: int) -> None:
    """Reserve the room for so many bytes: writing to a mapped file on a full disk ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, len(_ZEROS)):  # macOS
        file.write(_ZEROS[: size - start])
    file.flush()
