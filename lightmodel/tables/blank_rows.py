"""Drop the rows of a request in which no cell has a value, and keep the numbers of the others.

Text, sheets and records have such rows at the end of an export, or where somebody emptied cells. Rows are
looked for where the first feature is missing; all other rows cost nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lightmodel.contract.cells import MISSING, Codes, Mask, Matrix, is_marker
from lightmodel.errors import Violation
from lightmodel.tables.blocks import Block

if TYPE_CHECKING:
    import pyarrow as pa

_NO_ROWS = np.empty(0, np.int64)


def rows_without_features(features: Matrix) -> Codes:
    """Return the positions of the rows in which every feature is missing."""
    first = features[:, 0]
    lowest = first.min()  # NaN if there is one
    if lowest == lowest:
        return _NO_ROWS
    rows = np.flatnonzero(np.isnan(first))
    for values in features.T:
        if not len(rows):
            break
        rows = rows[is_marker(np.ascontiguousarray(values[rows]), MISSING)]
    return rows


def blank_rows(columns: Iterable["pa.ChunkedArray"]) -> Mask | None:
    """Return the mask of the rows in which no column has a value; None if there is none."""
    blank: Mask | None = None
    for column in columns:
        missing = column.is_null(nan_is_null=True).to_numpy()
        blank = missing if blank is None else blank & missing
        if not blank.any():
            return None
    return blank


def without_rows(block: Block, blank: Codes, rebuild: Callable[[Codes], Block]) -> Block:
    """Return a block without its blank rows.

    Args:
        block: with all rows.
        blank: the positions of the blank ones.
        rebuild: returns the block of the rows at some positions.
    """
    if not len(blank):
        return block
    rows = len(block.features)
    kept = np.setdiff1d(np.arange(rows), blank)
    if len(kept):
        return numbered(rebuild(kept), kept + 1, rows)
    ids: list[Any] | None = None if block.ids is None else []
    empty = replace(block, features=block.features[:0], ids=ids, violations=(), unseen={})
    return replace(empty, blank=(range(1, rows + 1),))


def numbered(block: Block, numbers: Codes, last: int) -> Block:
    """Return a block whose rows have these numbers, of 1 to `last`; all other numbers are blank rows."""
    return replace(block, violations=_renumbered(block, numbers), blank=_gaps(numbers, last))


def within(block: Block, numbers: Codes) -> Block:
    """Return a block whose rows, the blank ones among them, have these numbers; the rest is blank too."""
    rows = len(block.features) + sum(map(len, block.blank))
    dropped = [row - 1 for gap in block.blank for row in gap]
    kept = numbers[np.setdiff1d(np.arange(rows), dropped)]
    blank = _gaps(kept, int(numbers[-1]))
    return replace(block, violations=_renumbered(block, numbers), blank=blank)


def _renumbered(block: Block, numbers: Codes) -> tuple[Violation, ...]:
    return tuple(
        replace(one, rows=tuple(int(numbers[row - 1]) for row in one.rows))
        for one in block.violations
    )


def _gaps(numbers: Codes, last: int) -> tuple[range, ...]:
    """Return the numbers from 1 to `last` that are not among some, as ranges."""
    ends = np.concatenate([[0], numbers, [last + 1]])
    at = np.flatnonzero(np.diff(ends) > 1)
    return tuple(range(int(ends[one]) + 1, int(ends[one + 1])) for one in at)


def described(blank: Sequence[range], most: int) -> str:
    """Return the numbers of blank rows as text, such as 3,7-9; at most `most` ranges."""
    parts = [
        str(rows.start) if len(rows) == 1 else f"{rows.start}-{rows.stop - 1}"
        for rows in blank[:most]
    ]
    return ",".join(parts) + (",..." if len(blank) > most else "")
