"""Tables and matrices in temporary files that are mapped into memory, for what memory cannot hold.

The system writes their pages to the file and drops them where it needs the memory. A file has no name, so
that nothing is left of it, however the process ends.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import Matrix
from lightmodel.contract.matrices import empty_matrix, is_large
from lightmodel.files import translate_os_errors
from lightmodel.free_memory import release

_ZEROS = bytes(1 << 20)


def mapped_table(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path) -> pa.Table:
    """Return the rows of batches of one schema as a table whose cells are in a file of `folder`.

    Raises:
        LightModelError: the file cannot be written, for the disk is full, say.
    """
    with translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            with pa.ipc.new_file(pa.PythonFile(file, "w"), schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            file.flush()
            cells = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            table = pa.ipc.open_file(cells).read_all()
    release()
    return table


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
            return np.asarray(mapped)  # whoever keeps it, such as an estimator, stores plain values


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
