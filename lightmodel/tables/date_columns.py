"""Read the text columns of a training table that hold dates, times of day or durations as such.

The order of day and month is decided over the whole column, becomes part of the contract, and is the
one by which requests are read: see `contract.dates`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import Codes
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.dates import (
    DAY,
    DAY_FIRST,
    MONTH_FIRST,
    NO_TIME,
    order_mark,
    parse_micros,
    shapes_of,
)
from lightmodel.contract.formats import order_of, time_format
from lightmodel.contract.time_arrays import time_array
from lightmodel.errors import DataError
from lightmodel.tables.encode import dictionary_encoded
from lightmodel.tables.mapped import moved_with

_SAMPLE = 100  # rows, which rule out most columns quickly
_NEARLY = 0.9  # a share of a column's distinct texts
_ORDERS = (DAY_FIRST, MONTH_FIRST)
_KINDS = (ColumnType.TIME, ColumnType.DATETIME, ColumnType.DURATION)


@dataclass(frozen=True)
class DatedTable:
    """A table whose texts of dates and times are of temporal types, and the format of each such column."""

    table: pa.Table
    formats: Mapping[str, str]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _TimeTexts:
    """What the texts of a column are.

    Attributes:
        type: DATE, DATETIME, TIME or DURATION.
        micros: order of day and month → the values of the distinct texts and NO_TIME at the end, for
            the orders in which all are valid; the order is "" if no text depends on it.
        indices: (rows,) positions in these values.
        invalid: how many texts are no times in a column of which nearly all are.
    """

    type: ColumnType
    micros: Mapping[str, Codes]
    indices: Codes
    invalid: int = 0


def read_dates(
    table: pa.Table,
    names: Collection[str],
    order: str,
    accepted: Contract | None,
    unused: Collection[str] = (),
) -> DatedTable:
    """Convert the text columns of dates, times of day and durations.

    Where a column alone does not tell whether 03/04/2024 is in March or in April, the order is that of
    the table's other columns.

    Args:
        table: of plain types, its texts stripped.
        names: of the columns to look at.
        order: DAY_FIRST or MONTH_FIRST decides where a column does not; "auto" for the above.
        accepted: the contract in force, whose formats hold. Texts that break its format are left for
            the validation to report.
        unused: of ignored columns, which stay texts where it is not clear what they are.

    Raises:
        DataError: nothing in the table tells the day from the month.
    """
    known = _columns_in_force(accepted, unused)
    found = {
        name: read
        for name in (*names, *unused)
        if pa.types.is_string(table[name].type)
        and (read := _time_texts(table[name], known.get(name))) is not None
    }
    usual = order
    if order not in _ORDERS:
        usual = _usual_order([read for name, read in found.items() if name not in unused])
    unclear = {
        name
        for name, read in found.items()
        if name in unused and (read.invalid or not _is_clear(read, usual))
    }
    return _converted(table, {name: found[name] for name in found if name not in unclear}, usual)


def _converted(table: pa.Table, found: Mapping[str, _TimeTexts], usual: str) -> DatedTable:
    """Return the table with columns of times in place of texts, and a warning for those that nearly are."""
    formats, warnings = dict[str, str](), list[str]()
    for name, read in found.items():
        if read.invalid:
            warnings.append(_nearly(name, read))
            continue
        chosen = _order(name, read, usual)
        at = table.column_names.index(name)
        values = time_array(read.micros[chosen][read.indices], read.type)
        table = table.set_column(at, name, moved_with(values, table.column(at)))
        formats[name] = time_format(read.type, chosen)
    return DatedTable(table, formats, tuple(warnings))


def _columns_in_force(accepted: Contract | None, unused: Collection[str]) -> dict[str, Column]:
    """Return the features of the contract, and the ignored columns of times that it has a format for."""
    return {
        column.name: column
        for column in (accepted.columns if accepted else ())
        if column.role is Role.FEATURE
        or (column.name in unused and column.format and column.type.is_temporal)
    }


def _nearly(name: str, read: _TimeTexts) -> str:
    count = "1 of its texts is" if read.invalid == 1 else f"{read.invalid:,} of its texts are"
    return (
        f"column {name!r} holds values of the type {read.type}, but {count} of another: it is read as "
        "text; correct them, or add what means a missing value to data.na_values"
    )


def _usual_order(found: Collection[_TimeTexts]) -> str:
    """Return the order of all columns that have one; "" if they differ, or none has."""
    decided = {order for read in found if len(read.micros) == 1 for order in read.micros} - {""}
    return decided.pop() if len(decided) == 1 else ""


def _is_clear(read: _TimeTexts, usual: str) -> bool:
    return len(read.micros) == 1 or usual in read.micros


def _order(name: str, read: _TimeTexts, usual: str) -> str:
    if not _is_clear(read, usual):
        raise DataError(
            f"column {name!r} holds dates as 03/04/2024, and no row tells the day from the month",
            hint='set data.dates to "day_first" or "month_first", or add the column to data.ignore',
        )
    return next(iter(read.micros)) if len(read.micros) == 1 else usual


def _time_texts(values: pa.ChunkedArray, known: Column | None) -> _TimeTexts | None:
    """Return what the texts of a column are; None if they are no times, or break the known format."""
    kinds: Sequence[ColumnType] = _KINDS
    orders: Sequence[str] = _ORDERS
    if known is not None:
        kinds = (ColumnType.DATETIME if known.type.is_date else known.type,)
        orders = (order_of(known.format),)
    sample = values.slice(0, _SAMPLE).drop_null().unique().to_pylist()
    for kind in kinds:
        if not sample or _detect(sample, kind, orders):
            encoded = dictionary_encoded(values)
            indices = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
            found = _detect(encoded.dictionary.to_pylist(), kind, orders, indices)
            if found and not (known and found.invalid):
                return found
    return None


def _detect(
    texts: Sequence[str], kind: ColumnType, orders: Sequence[str], indices: Codes | None = None
) -> _TimeTexts | None:
    """Return what distinct texts are if nearly all of them are of this kind."""
    orders = orders if kind is ColumnType.DATETIME else ("",)
    parsed = {order: parse_micros(texts, kind, order) for order in orders}
    wrong = {order: int((micros == NO_TIME).sum()) for order, micros in parsed.items()}
    least = min(wrong.values())
    if not texts or least > (1 - _NEARLY) * len(texts):
        return None
    valid = {order: micros for order, micros in parsed.items() if wrong[order] == least}
    kind = _precise(kind, valid.values())
    values = {order: np.append(micros, NO_TIME) for order, micros in valid.items()}
    places = np.arange(len(texts)) if indices is None else indices
    return _TimeTexts(kind, _possible(texts, values), places, least)


def _precise(kind: ColumnType, parsed: Collection[Codes]) -> ColumnType:
    """Return DATE in place of DATETIME if there is no time of day."""
    has_clock = any((micros[micros != NO_TIME] % DAY).any() for micros in parsed)
    return ColumnType.DATE if kind is ColumnType.DATETIME and not has_clock else kind


def _possible(texts: Sequence[str], valid: Mapping[str, Codes]) -> Mapping[str, Codes]:
    """Return the orders that are left: with dots between the numbers, the day is first."""
    marks = {order_mark(shape) for shape in shapes_of(texts)} - {""}
    if not marks:
        return {"": next(iter(valid.values()))}
    return {DAY_FIRST: valid[DAY_FIRST]} if marks == {"."} and DAY_FIRST in valid else valid
