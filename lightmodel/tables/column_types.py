"""Convert columns to a few plain types: from text, from Python values, or from other Arrow types.

A type is inferred from the whole column, never from its beginning, so that the order of the rows
does not matter.
"""

import datetime as dt
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import EXACT, FALSE, INT64_END, NAN_WORD, TRUE, parse_numbers, to_str
from lightmodel.contract.time_arrays import DURATION, TIMESTAMP
from lightmodel.errors import DataError
from lightmodel.tables.encode import trim
from lightmodel.tables.mapped import moved_with

_FIRST_ROWS = 100
_INT64_RANGE = range(-(2**63), 2**63)
# `to_plain_types` removes nanoseconds and time zones later
_TEMPORAL = (
    pa.date32(),
    TIMESTAMP,
    pa.timestamp("ns"),
    pa.timestamp("us", "UTC"),
    pa.timestamp("ns", "UTC"),
)
_PLAIN = {kind: pa.float64() for kind in (pa.float16(), pa.float32(), pa.float64(), pa.null())} | {
    pa.bool_(): pa.bool_()
}


def null_missing(table: pa.Table, missing: Sequence[str]) -> pa.Table:
    """Return a table of plain types in which missing values are null.

    A number in `missing`, such as -999, matches however it is written; a text column without any
    value becomes float64.
    """
    columns = []
    for values in table.columns:
        if pa.types.is_string(values.type):
            texts = _null_missing_texts(trim(values), missing)
            read = texts.cast(pa.float64()) if texts.null_count == len(texts) else texts
        else:
            read = null_numbers(values, missing)
        columns.append(moved_with(read, values))
    return pa.table(columns, names=table.column_names)


def null_numbers(values: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """Replace the numbers in `missing` by null, if the column is numeric."""
    numbers = parse_numbers(missing)
    if pa.types.is_integer(values.type):
        whole = [int(one) for one in numbers if one.is_integer() and abs(one) < INT64_END]
        wanted = pa.array(whole, pa.int64())
    else:
        wanted = pa.array(numbers, pa.float64())
    if not (
        len(wanted) and (pa.types.is_floating(values.type) or pa.types.is_integer(values.type))
    ):
        return values
    absent = pc.is_in(values, value_set=wanted)
    return pc.if_else(absent, None, values) if pc.any(absent).as_py() else values


def _null_missing_texts(texts: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    absent = pc.is_in(texts, value_set=pa.array(["", *missing], pa.string()))
    return pc.if_else(absent, None, texts) if pc.any(absent).as_py() else texts


def infer_type(
    values: pa.ChunkedArray, missing: Sequence[str], decimal: str = "."
) -> tuple[pa.ChunkedArray, str]:
    """Convert a column of text to the type that fits all its cells.

    Integers with a leading zero (007), and those too long for int64, stay text: as numbers they
    would no longer be distinct.

    Args:
        values: null where a cell is exactly a text that means a missing value.
        missing: texts that mean a missing value after stripping.
        decimal: the decimal mark; "" allows either, but not both in one column.

    Returns:
        The column, and the decimal mark of its numbers; "" when it has none.
    """
    numbers = _parse_numbers(values, decimal)  # mostly, numbers need no stripping
    if numbers is None:
        texts = trim(values)
        if texts is not values:
            values = _null_missing_texts(texts, missing)
            numbers = _parse_numbers(values, decimal)
    if numbers is not None:
        return numbers
    return (_parse_booleans(values) if _are_booleans(values) else parse_times(values)), ""


def parse_times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert texts to dates or timestamps if all are written as in ISO 8601; else return them."""
    for kind in _TEMPORAL:
        times = _try_cast(values, kind)
        if times is not None:
            return times
    return values


def _parse_numbers(values: pa.ChunkedArray, decimal: str) -> tuple[pa.ChunkedArray, str] | None:
    """Return texts as int64 or float64, as they are if they must stay text, or None if not numeric."""
    if values.null_count == len(values):
        return values.cast(pa.float64()), ""
    whole = _try_cast(values, pa.int64())
    if whole is not None:
        return (values if _has_leading_zero(values) else whole), ""
    for mark in decimal or ".,":
        numbers = _parse_decimals(values, mark)
        if numbers is not None:
            if _exceeds_int64(values, numbers):
                return values, ""
            seen = decimal or pc.any(pc.match_substring(values, mark)).as_py()
            return numbers, mark if seen else ""
    return None


def _are_booleans(values: pa.ChunkedArray) -> bool:
    """Return whether all texts are true or false; the first cells rule out most columns quickly."""
    parts = (part.drop_null() for part in (values.slice(0, _FIRST_ROWS), values))
    words = pa.array(TRUE + FALSE)  # not at import time, when Arrow would look for pandas
    return all(pc.all(pc.is_in(part, words), min_count=0).as_py() for part in parts)


def _parse_booleans(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(
        values.is_null(), pa.scalar(None, pa.bool_()), pc.is_in(values, pa.array(TRUE))
    )


def _try_cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        values.slice(0, _FIRST_ROWS).cast(kind)  # fails fast for most columns of another type
        return values.cast(kind)
    except pa.ArrowInvalid:
        return None


def _parse_decimals(values: pa.ChunkedArray, mark: str) -> pa.ChunkedArray | None:
    if mark == ",":
        if pc.any(pc.match_substring(values, ".")).as_py():
            return None  # the commas separate thousands, or are parts of dates
        values = pc.replace_substring(values, ",", ".")
    numbers = _try_cast(values, pa.float64())
    if numbers is not None and pc.any(pc.is_nan(numbers)).as_py():
        words = values.filter(pc.is_nan(numbers))  # Arrow also accepts nan(x)
        if not pc.all(pc.match_substring_regex(words, f"^{NAN_WORD}$")).as_py():
            return None
    return numbers


def _has_leading_zero(values: pa.ChunkedArray) -> bool:
    """Return whether some integer has a leading zero."""
    digits = values
    if pc.any(pc.starts_with(values, "-0")).as_py():
        digits = pc.utf8_ltrim(values, "-")
    padded = pc.and_(pc.starts_with(digits, "0"), pc.greater(pc.binary_length(digits), 1))
    return bool(pc.any(padded).as_py())


def _exceeds_int64(values: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Return whether these are integers too large for int64, which float64 would round."""
    largest = pc.max(pc.abs(numbers)).as_py()
    if not INT64_END <= largest < float("inf"):
        return False
    return bool(pc.all(pc.match_substring_regex(values, r"^[+-]?[0-9]+$")).as_py())


def to_plain_types(table: pa.Table, what: str = "the table") -> pa.Table:
    """Convert every column to int64, float64, string, bool, date32, timestamp[us] or duration[us].

    Integers beyond int64 become strings (they are identifiers, not quantities), a column without
    values float64, a timestamp with a time zone its UTC time, a time of day text.

    Raises:
        DataError: a column holds lists, structures or bytes; all such columns are named.
    """
    columns, refused = [], []
    for name, values in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(moved_with(_to_plain(values), values))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            refused.append(repr(name))
    if refused:
        raise DataError(
            f"{what}: {len(refused)} column{'s hold' if len(refused) > 1 else ' holds'} no plain values: "
            f"{', '.join(refused[:10])}{', …' if len(refused) > 10 else ''}",
            hint="flatten lists and structures into separate columns, or drop them",
        )
    return pa.table(columns, names=table.column_names)


def _to_plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return _to_plain(values.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        return _to_plain(values.cast(kind.value_type))
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return _to_integers(values)
    if pa.types.is_temporal(kind):
        return _to_times(values)
    return values.cast(_PLAIN.get(kind, pa.string()))


def _to_integers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(values.type) and values.type.scale > 0:
        return values.cast(pa.string()).cast(
            pa.float64()
        )  # rounds to the nearest number; a direct cast does not
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        return values.cast(pa.string())


def _to_times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_date(kind):
        return values.cast(pa.date32())
    if pa.types.is_timestamp(kind):
        # nanoseconds are truncated; without its zone, the timestamp is the time in UTC
        finer = values.cast(pa.timestamp("us", kind.tz), safe=kind.unit != "ns")
        return finer.cast(TIMESTAMP)
    if pa.types.is_duration(kind):
        return values.cast(DURATION, safe=kind.unit != "ns")
    texts = values.cast(pa.time64("us"), safe=False).cast(pa.string())
    return pc.replace_substring_regex(texts, r"\.0+$", "")


def infer_array(values: Sequence[object], missing: frozenset[str]) -> pa.Array:
    """Return values as an array of the one type that fits them all, text as the last resort.

    A column of whole floats becomes integers, because spreadsheets do not distinguish the two.
    Text that is empty or in `missing` is null.
    """
    cells = [_cell(value, missing) for value in values]
    kinds: set[type] = {type(cell) for cell in cells if cell is not None}
    if not kinds:
        return pa.nulls(len(cells), pa.float64())
    if kinds & {dict, list}:
        return pa.nulls(len(cells), pa.list_(pa.null()))  # `to_plain_types` refuses it
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds <= {int, float}:
        return _number_array(
            [cell for cell in cells if cell is None or isinstance(cell, int | float)]
        )
    if kinds <= {dt.date, dt.datetime}:
        times = pa.array(list(map(_as_datetime, cells)), TIMESTAMP)
        dates = times.cast(pa.date32())
        return dates if dates.cast(TIMESTAMP).equals(times) else times
    texts = pa.array([None if cell is None else to_str(cell) for cell in cells], pa.string())
    return parse_times(texts) if kinds == {str} else texts


def _cell(value: object, missing: frozenset[str]) -> object:
    if isinstance(value, str):
        value = value.strip()
        return None if not value or value in missing else value
    return None if isinstance(value, float) and value != value else value


def _as_datetime(cell: object) -> dt.datetime | None:
    if isinstance(cell, dt.datetime):
        return cell
    return dt.datetime.combine(cell, dt.time()) if isinstance(cell, dt.date) else None


def _number_array(cells: Sequence[int | float | None]) -> pa.Array:
    present = [cell for cell in cells if cell is not None]
    kind: Callable[[object], object] = _to_float
    if all(map(_is_int64, present)):
        kind = int  # type: ignore[assignment]
    elif all(isinstance(cell, int) for cell in present):
        kind = str
    return pa.array([None if cell is None else kind(cell) for cell in cells])


def _is_int64(cell: float) -> bool:
    if isinstance(cell, int):
        return cell in _INT64_RANGE
    return cell.is_integer() and abs(cell) <= EXACT


def _to_float(cell: object) -> float:
    return float(str(cell))  # through str, because float() may overflow for a large int
