"""Columns made of Python values, as workbooks and irregular JSON give them."""

import datetime as dt
from collections.abc import Callable, Sequence

import pyarrow as pa

from lightmodel.tables.column_types import temporal
from lightmodel.tables.plain import TIMESTAMP

_EXACT = 2**53
_INT64 = range(-(2**63), 2**63)
_MIDNIGHT = dt.time()


def column_of(values: Sequence[object], missing: frozenset[str]) -> pa.Array:
    """Give values the one type that suits them all; text where there is no other.

    Whole floats in a column without others become integers, for spreadsheets do not tell the two
    apart. Text that is empty or in `missing` is null.
    """
    cells = [_cell(value, missing) for value in values]
    kinds: set[type] = {type(cell) for cell in cells if cell is not None}
    if not kinds:
        return pa.nulls(len(cells), pa.float64())
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds <= {int, float}:
        return _numbers([cell for cell in cells if cell is None or isinstance(cell, int | float)])
    if kinds <= {dt.date, dt.datetime}:
        return _times(cells)
    texts = pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())
    return temporal(texts) if kinds == {str} else texts


def _cell(value: object, missing: frozenset[str]) -> object:
    if isinstance(value, str):
        value = value.strip()
        return None if not value or value in missing else value
    return None if isinstance(value, float) and value != value else value


def _numbers(cells: Sequence[int | float | None]) -> pa.Array:
    present = [cell for cell in cells if cell is not None]
    if any(isinstance(cell, int) and cell not in _INT64 for cell in present):
        too_long = all(isinstance(cell, int) for cell in present)
        kind: Callable[[object], object] = str if too_long else _float
        return pa.array([None if cell is None else kind(cell) for cell in cells])
    if all(
        isinstance(cell, int) or (cell.is_integer() and abs(cell) <= _EXACT) for cell in present
    ):
        return pa.array([None if cell is None else int(cell) for cell in cells], pa.int64())
    return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())


def _float(cell: object) -> float:
    return float(str(cell))  # of an int of any size, where float() may overflow


def _times(cells: Sequence[object]) -> pa.Array:
    instants = [_instant(cell) for cell in cells]
    if all(instant is None or instant.time() == _MIDNIGHT for instant in instants):
        return pa.array([None if it is None else it.date() for it in instants], pa.date32())
    return pa.array(instants, TIMESTAMP)


def _instant(cell: object) -> dt.datetime | None:
    if isinstance(cell, dt.datetime):
        return cell
    return dt.datetime.combine(cell, _MIDNIGHT) if isinstance(cell, dt.date) else None


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= _EXACT:
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)
