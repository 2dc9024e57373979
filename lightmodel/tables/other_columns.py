"""The columns that a feature matrix does not hold as they are: ids, ignored columns and texts.

Only models whose features() takes the whole table need them. Whatever the form of a table, its cells
become the same values: it imports Arrow, which is slow.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import (
    EXACT,
    INVALID,
    MISSING,
    Vector,
    canonical,
    is_marker,
    parse_numbers,
)
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.dates import DAY, NO_TIME, to_micros
from lightmodel.contract.formats import time_format
from lightmodel.contract.publication import TEXTS
from lightmodel.contract.time_arrays import ARROW_TYPES, TIMESTAMP
from lightmodel.tables.check import column_numbers, with_points
from lightmodel.tables.encode import dictionary_encoded, format_column, trim

_INT64 = range(-(2**63), 2**63)
_LONGEST = 9e12  # seconds
_TIME_FORMATS = {kind: time_format(kind) for kind in ARROW_TYPES}


@dataclass(frozen=True)
class OtherColumns:
    """The columns of `Contract.others`, in its order; a missing value is null.

    Attributes:
        table: ids and ignored columns in their types, texts in one form each.
        unread: column → cells of an id or an ignored column that are not of its type, and null.
    """

    table: pa.Table
    unread: Mapping[str, int]


def other_columns(
    table: pa.Table,
    contract: Contract,
    missing: Collection[str] | None = None,
    decimal: str = ".",
) -> OtherColumns:
    """Return the other columns of a table; those that it lacks are null.

    Args:
        table: its columns of any plain types, or texts.
        contract: of the model.
        missing: texts that mean a missing value, besides the empty one; None for those of the contract.
        decimal: the decimal mark of numbers that are still text.
    """
    if missing is None:
        missing = contract.dialect.na_values if contract.dialect else ()
    columns, unread = dict[str, pa.Array](), dict[str, int]()
    for column in contract.others:
        if column.name not in table.column_names:
            columns[column.name] = pa.nulls(table.num_rows, _arrow_type(column))
            continue
        values = table[column.name]
        if pa.types.is_string(values.type):
            values = _without(trim(values), ("", *missing))
            if (decimal, contract.decimal) == (".", ","):
                values = with_points(values, column)
        if column.type in TEXTS:
            columns[column.name] = _texts(values, column, missing, decimal)
        else:
            columns[column.name], count = _values(values, column, missing, decimal)
            unread |= {column.name: count} if count else {}
    return OtherColumns(pa.table(columns), unread)


def columns_of_texts(
    texts: Mapping[str, Sequence[str | None]],
    rows: int,
    contract: Contract,
    missing: Collection[str],
    decimal: str,
) -> OtherColumns:
    """Return the other columns of rows whose cells are texts, as of CSV; see `other_columns`."""
    names = [column.name for column in contract.others if column.name in texts]
    columns = {name: pa.chunked_array([pa.array(texts[name], pa.string())]) for name in names}
    table = pa.table(columns) if columns else pa.table({"": pa.nulls(rows)})
    return other_columns(table, contract, missing, decimal)


def typed_array(numbers: Vector, column: Column) -> pa.Array:
    """Return a float64 column, its times in seconds, as one of its own type.

    Every NaN is null, and so is a duration that is too long for microseconds in int64.
    """
    if column.type is ColumnType.BOOLEAN:
        return pa.array(numbers, from_pandas=True).cast(pa.bool_())
    if not column.type.is_temporal:
        return pa.array(numbers, from_pandas=True)
    kind = _arrow_type(column)
    micros = to_micros(np.where(np.abs(numbers) < _LONGEST, numbers, MISSING))
    absent = micros == NO_TIME
    if kind != pa.date32():
        return pa.array(micros, mask=absent).cast(kind)
    days = np.where(absent, 0, micros // DAY).astype(np.int32)
    return pa.array(days, mask=absent).cast(kind)


def _arrow_type(column: Column) -> pa.DataType:
    """Return the type of an id, an ignored column, or a time; other numbers are float64.

    Without a format, DATE stands for any time in an id or ignored column of an older contract.
    """
    if column.type.is_temporal:
        is_any = column.type is ColumnType.DATE and not column.format
        return TIMESTAMP if is_any else ARROW_TYPES[column.type]
    plain = {ColumnType.INTEGER: pa.int64(), ColumnType.NUMBER: pa.float64()}
    return pa.bool_() if column.type is ColumnType.BOOLEAN else plain.get(column.type, pa.string())


def _without(texts: pa.ChunkedArray, missing: Collection[str]) -> pa.ChunkedArray:
    absent = pc.is_in(texts, value_set=pa.array(missing, pa.string()))
    return pc.if_else(absent, None, texts)


def _values(
    values: pa.ChunkedArray, column: Column, missing: Collection[str], decimal: str
) -> tuple[pa.Array, int]:
    """Return a column in its type, and how many cells are not of it."""
    written = replace(column, format=column.format or _TIME_FORMATS.get(column.type, ""))
    numbers = np.array(column_numbers(values, written, decimal))
    if column.type.is_numeric:
        for number in parse_numbers(missing):
            numbers[numbers == number] = MISSING
    if column.type is ColumnType.INTEGER:
        return _integers(values, numbers)
    if column.type.is_temporal:
        numbers[np.abs(numbers) >= _LONGEST] = INVALID
    return typed_array(numbers, column), int(is_marker(numbers, INVALID).sum())


def _integers(values: pa.ChunkedArray, numbers: Vector) -> tuple[pa.Array, int]:
    """Return whole numbers as int64, exactly, and how many cells hold others."""
    known = (np.abs(numbers) < EXACT) & (np.floor(numbers) == numbers)
    whole = np.where(known, numbers, 0.0).astype(np.int64)
    for row in np.flatnonzero(np.abs(numbers) >= EXACT).tolist():
        exact = _exact(values[row].as_py(), float(numbers[row]))
        if exact is not None and exact in _INT64:
            whole[row], known[row] = exact, True
    others = ~known & ~is_marker(numbers, MISSING)
    return pa.array(whole, mask=~known), int(others.sum())


def _exact(cell: Any, number: float) -> int | None:  # noqa: ANN401 — an integer, a float or a text
    """Return a whole number that float64 may have rounded; None for an infinite one."""
    if not np.isfinite(number):
        return None
    try:
        return int(cell)
    except ValueError:  # such as 1e18
        return int(number)


def _texts(
    values: pa.ChunkedArray, column: Column, missing: Collection[str], decimal: str
) -> pa.Array:
    """Return texts as training knows them, and new ones in the form of `cells.canonical`."""
    encoded = dictionary_encoded(format_column(values))
    known = dict.fromkeys(("", *missing)) | {text: text for text in column.categories}
    forms = {canonical(text, decimal): meant for text, meant in reversed(known.items())}
    names = [
        known[text] if text in known else forms.get(form := canonical(text, decimal), form)
        for text in encoded.dictionary.to_pylist()
    ]
    return pc.take(pa.array(names, pa.string()), encoded.indices)
