"""Find the columns of text that hold dates, times of day or durations, and the order of day and month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from lightmodel.contract.cells import Codes
from lightmodel.contract.columns import Column, ColumnType, Role
from lightmodel.contract.dates import (
    DAY,
    DAY_FIRST,
    MONTH_FIRST,
    NO_TIME,
    order_mark,
    parse_micros,
    shapes_of,
    to_seconds,
)
from lightmodel.contract.formats import time_format
from lightmodel.contract.time_arrays import is_kind, micros_of
from lightmodel.errors import DataError

_SAMPLE = 100  # rows, which rule out most columns quickly
_NEARLY = 0.9  # a share of a column's distinct texts
_ORDERS = (DAY_FIRST, MONTH_FIRST)
_KINDS = (ColumnType.TIME, ColumnType.DATETIME, ColumnType.DURATION)


@dataclass(frozen=True)
class TimeTexts:
    """What the distinct texts of a column are.

    Attributes:
        type: DATE, DATETIME, TIME or DURATION.
        micros: order of day and month → the texts' values; of the orders in which all are valid. The
            order is "" if no text depends on it.
        invalid: how many texts are no times in a column of which nearly all are.
    """

    type: ColumnType
    micros: Mapping[str, Codes]
    invalid: int = 0


@dataclass(frozen=True)
class TimeColumn:
    """The type of a column of dates or times, its order of day and month, and its distinct values."""

    type: ColumnType
    order: str
    micros: Codes

    def column(self, name: str, role: Role, *, missing: bool) -> Column:
        """Return the column of a contract."""
        known = to_seconds(self.micros[self.micros != NO_TIME])
        low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
        written = time_format(self.type, self.order)
        return Column(name, role, self.type, missing, low, high, format=written)


def find_time_columns(
    table: pa.Table, names: Sequence[str], order: str
) -> tuple[dict[str, TimeColumn], tuple[str, ...]]:
    """Return those of the named columns that hold dates, times or durations, as texts or not, and warnings.

    Where a column alone does not tell whether 03/04/2024 is in March or in April, the order is that of
    the table's other columns.

    Args:
        table: of plain types.
        names: of its columns to look at.
        order: DAY_FIRST or MONTH_FIRST decides where a column does not; "auto" for the above.

    Raises:
        DataError: nothing in the table tells the day from the month.
    """
    texts = [name for name in names if pa.types.is_string(table[name].type)]
    read = {name: found for name in texts if (found := _time_texts(table[name]))}
    warnings = [
        f"column {name!r} holds {found.type}s, but {found.invalid:,} of its texts are none: it is read "
        "as text; correct them, or add them to data.na_values"
        for name, found in read.items()
        if found.invalid
    ]
    valid = {name: found for name, found in read.items() if not found.invalid}
    known = {one for found in valid.values() if len(found.micros) == 1 for one in found.micros}
    known -= {""}
    usual = order if order in _ORDERS else known.pop() if len(known) == 1 else ""
    columns = {name: _column(name, found, usual) for name, found in valid.items()}
    columns |= {name: typed for name in names if (typed := _typed(table[name]))}
    return columns, tuple(warnings)


def _typed(values: pa.ChunkedArray) -> TimeColumn | None:
    """Return a column that is of a temporal type already."""
    for kind in _KINDS:
        if is_kind(values.type, kind):
            micros = micros_of(values)
            return TimeColumn(_precise(kind, micros), "", micros)
    return None


def _column(name: str, found: TimeTexts, usual: str) -> TimeColumn:
    order = next(iter(found.micros)) if len(found.micros) == 1 else usual
    if order not in found.micros:
        raise DataError(
            f"column {name!r} holds dates as 03/04/2024, and no row tells the day from the month",
            hint='set data.dates to "day_first" or "month_first", or add the column to data.ignore',
        )
    return TimeColumn(found.type, order, found.micros[order])


def _time_texts(values: pa.ChunkedArray) -> TimeTexts | None:
    """Return what the texts of a column are; None if they are no times."""
    sample = values.slice(0, _SAMPLE).drop_null().unique().to_pylist()
    for kind in _KINDS:
        if not sample or _detect(sample, kind):
            found = _detect(values.drop_null().unique().to_pylist(), kind)
            if found:
                return found
    return None


def _detect(texts: Sequence[str], kind: ColumnType) -> TimeTexts | None:
    """Return what the texts are if nearly all of them are of this kind."""
    orders = _ORDERS if kind is ColumnType.DATETIME else ("",)
    parsed = {order: parse_micros(texts, kind, order) for order in orders}
    wrong = {order: int((micros == NO_TIME).sum()) for order, micros in parsed.items()}
    least = min(wrong.values())
    if not texts or least > (1 - _NEARLY) * len(texts):
        return None
    if least:
        return TimeTexts(_precise(kind, *parsed.values()), {}, least)
    valid = {order: micros for order, micros in parsed.items() if not wrong[order]}
    return TimeTexts(_precise(kind, *valid.values()), _by_order(texts, valid))


def _precise(kind: ColumnType, *parsed: Codes) -> ColumnType:
    """Return DATE in place of DATETIME if there is no time of day."""
    has_clock = any((micros[micros != NO_TIME] % DAY).any() for micros in parsed)
    return ColumnType.DATE if kind is ColumnType.DATETIME and not has_clock else kind


def _by_order(texts: Sequence[str], valid: Mapping[str, Codes]) -> Mapping[str, Codes]:
    """Return the orders that are left: with dots between the numbers, the day is first."""
    marks = {order_mark(shape) for shape in shapes_of(texts)} - {""}
    if not marks:
        return {"": next(iter(valid.values()))}
    if marks == {"."} and DAY_FIRST in valid:
        return {DAY_FIRST: valid[DAY_FIRST]}
    return valid
