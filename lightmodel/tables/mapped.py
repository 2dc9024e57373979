"""Tables and matrices in temporary files that are mapped into memory, for what memory cannot hold.

The system writes their pages to the file and drops them where it needs the memory. A file has no name, so
that nothing is left of it, however the process ends.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import Matrix
from lightmodel.files import translate_os_errors


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
            with pa.memory_map(f"/dev/fd/{file.fileno()}") as mapped:
                return pa.ipc.open_file(mapped).read_all()


def mapped_matrix(rows: int, columns: int, folder: Path) -> Matrix:
    """Return a (rows, columns) matrix of zeros in a file of `folder`, row after row.

    Raises:
        LightModelError: the disk has no room for it.
    """
    with translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, max(1, rows * columns * 8))
            return np.memmap(file, np.float64, "r+", shape=(rows, columns))
