"""What a cell of text says, for the columns whose type the contract knows.

Numbers live in float64, where four NaNs tell apart what is no number: a cell without a value, a cell
that holds something else, one of a row that has too few or too many cells, and a category that
training never saw.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from lightmodel.contract.arrays import Mask, Matrix, Vector

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUE = frozenset({"true", "True", "TRUE", "1"})
_FALSE = frozenset({"false", "False", "FALSE", "0"})
_BITS = 0x7FF8000000000000 + np.arange(4, dtype=np.uint64)
NOT_THERE, NOT_A_NUMBER, IN_NO_ROW, UNSEEN = _BITS.view(np.float64)
WRONG_QUOTE = "a quote is never closed, or stands in the middle of a cell"


class CellKind(IntEnum):
    """How a reader of rows treats a column."""

    IGNORED = 0
    NUMBER = 1
    BOOLEAN = 2
    TEXT = 3


@dataclass(frozen=True)
class Layout:
    """How a text of rows is written, and what to make of it.

    Attributes:
        kinds: of each cell of a row, a CellKind as one byte.
        places: of each cell among the numbers, or among the texts.
        width: how many numbers a row of the answer has.
        missing: what means no value, besides an empty cell.
    """

    kinds: bytes
    places: tuple[int, ...]
    width: int
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    missing: tuple[str, ...] = ()

    @property
    def texts(self) -> int:
        """How many texts a row of the answer has."""
        return self.kinds.count(CellKind.TEXT)


@dataclass(frozen=True)
class RawRows:
    """Whole rows of a text, not yet held against a contract.

    Attributes:
        numbers: (rows, width), row by row; columns that no cell fills are undefined.
        texts: of each TEXT column, one for each row, without blanks; None in a row of another length.
        consumed: bytes that these rows took.
        ragged: rows with too few or too many cells.
    """

    numbers: Matrix
    texts: tuple[list[str | None], ...]
    consumed: int
    ragged: int


def number_in(cell: str, missing: Collection[str], decimal: str = ".") -> float:
    """Read a number, NOT_THERE or NOT_A_NUMBER."""
    cell = cell.strip()
    if not cell or cell in missing:
        return float(NOT_THERE)
    if decimal != ".":
        cell = cell.replace(".", "?").replace(decimal, ".")
    return float(cell) if _NUMBER.fullmatch(cell) else float(NOT_A_NUMBER)


def boolean_in(cell: str, missing: Collection[str]) -> float:
    """Read 1.0, 0.0, NOT_THERE or NOT_A_NUMBER."""
    cell = cell.strip()
    if not cell or cell in missing:
        return float(NOT_THERE)
    if cell in _TRUE:
        return 1.0
    return 0.0 if cell in _FALSE else float(NOT_A_NUMBER)


def is_marked(numbers: Vector, mark: np.float64) -> Mask:
    """Say where one of the four NaNs stands; any NaN that is none of them means that there is no value."""
    bits, wanted = numbers.view(np.uint64), mark.view(np.uint64)
    if wanted != _BITS[0]:
        found: Mask = bits == wanted
        return found
    return np.isnan(numbers) & ~np.isin(bits, _BITS[1:])
