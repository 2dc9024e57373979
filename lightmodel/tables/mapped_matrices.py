"""Matrices in temporary files that are mapped into memory, for what memory cannot hold."""

import mmap
import os
from pathlib import Path
from typing import IO

import numpy as np

from lightmodel.contract.cells import Matrix
from lightmodel.contract.matrices import empty_matrix, is_large
from lightmodel.tables.mappings import mapped, unnamed_file

_ZEROS = bytes(1 << 20)


def mapped_matrix(rows: int, columns: int, folder: Path) -> Matrix:
    """Return a (rows, columns) matrix of zeros in a file of `folder`, row after row.

    Raises:
        LightModelError: the disk has no room for it.
    """
    with unnamed_file(folder) as file:
        _allocate(file, max(1, rows * columns) * 8)
        cells = mapped(file, folder, mmap.ACCESS_WRITE)
    return np.frombuffer(cells, np.float64, rows * columns).reshape(rows, columns)


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
