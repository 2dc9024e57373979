"""Which tables and matrices are too large to be held in memory."""

from collections.abc import Callable

import numpy as np

from lightmodel.contract.cells import Matrix

LARGE_CELLS = 10_000_000  # 80 MB of float64

NewMatrix = Callable[[int, int], Matrix]  # (rows, columns) → a matrix to be filled, column-major


def is_large(rows: int, columns: int) -> bool:
    """Return whether a table or a matrix lies in a file, as far as that is possible."""
    return rows * columns > LARGE_CELLS


def empty_matrix(rows: int, columns: int) -> Matrix:
    """Return a matrix in memory, column-major, to be filled."""
    return np.empty((rows, columns), dtype=np.float64, order="F")
