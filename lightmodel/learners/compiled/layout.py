"""What trees.c and the tables have in common: records, flags and limits."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Table: TypeAlias = npt.NDArray[Any]
Tables: TypeAlias = dict[str, Table]

CATEGORICAL, DEFAULT_LEFT, MISSING_ZERO, MISSING_NAN = 1, 2, 4, 8  # flags of a node
IDENTITY, SIGMOID, SOFTMAX = 0, 1, 2  # from sums to scores
NUMBER, NUMBER_ZERO_MISSING, CATEGORY = 0, 1, 2  # kinds of a column of ranks

NODE = np.dtype("f8,i4,i4,i4,i2,i2")
NODE.names = ("threshold", "feature", "left", "right", "flags", "words")
COLUMN = np.dtype("i4,i4,i4,i2,i2")
COLUMN.names = ("feature", "start", "count", "kind", "missing")
TEST = np.dtype("u2,i1,u1")
TEST.names = ("column", "bound", "stays")

ZERO = float(np.float32(1e-35))  # what LightGBM takes for zero


def starts(lengths: Iterable[int]) -> Table:
    """Give where each part starts when they are put in a row, and where the last one ends."""
    return np.cumsum([0, *lengths]).astype("i4")
