"""Columns of a table in a few plain types: found from text, from Python's values, or from Arrow's types.

A type is found from the whole column, never from its beginning, so that the order of the rows does
not matter.
"""

import datetime as dt
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import EXACT, FALSE, INT64_END, NAN_WORD, TRUE, numbers_in, text_of
from lightmodel.errors import DataError
from lightmodel.tables.encode import trimmed

TIMESTAMP = pa.timestamp("us")
_FIRST = 100
_INT64 = range(-(2**63), 2**63)
# cutting nanoseconds off, or a zone, is for `plain_types`
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
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def without_missing(table: pa.Table, missing: Sequence[str]) -> pa.Table:
    """Return a table of plain types in which a cell that means no value is null.

    A number, such as -999, means it however it is written; a text column without any value becomes
    float64.
    """
    columns = []
    for values in table.columns:
        if pa.types.is_string(values.type):
            texts = _tidy(trimmed(values), missing)
            columns.append(texts.cast(pa.float64()) if texts.null_count == len(texts) else texts)
        else:
            columns.append(without_numbers(values, missing))
    return pa.table(columns, names=table.column_names)


def without_numbers(values: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """Make null what equals a number of `missing`, in a column of numbers."""
    numbers = numbers_in(missing)
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


def _tidy(texts: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    absent = pc.is_in(texts, value_set=pa.array(["", *missing], pa.string()))
    return pc.if_else(absent, None, texts) if pc.any(absent).as_py() else texts


def typed(
    values: pa.ChunkedArray, missing: Sequence[str], decimal: str = "."
) -> tuple[pa.ChunkedArray, str]:
    """Return a column of text the type that all its cells agree on.

    Digits after a leading zero (007), and whole numbers too long for int64, stay text: as numbers
    they would lose what tells them apart.

    Args:
        values: null where a cell holds exactly what means no value.
        missing: what means no value, when blanks around it are taken away.
        decimal: the decimal mark; "" when either may come (not both in one column).

    Returns:
        the column, and the decimal mark of its numbers; "" when it has none.
    """
    numbers = _numbers(values, decimal)  # first, for a number has no blanks to strip
    if numbers is None:
        texts = trimmed(values)
        if texts is not values:
            values = _tidy(texts, missing)
            numbers = _numbers(values, decimal)
    if numbers is not None:
        return numbers
    return (_booleans(values) if _are_words(values) else temporal(values)), ""


def temporal(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read texts as dates or times if all of them are such, written as in ISO 8601."""
    for kind in _TEMPORAL:
        times = _cast(values, kind)
        if times is not None:
            return times
    return values


def _numbers(values: pa.ChunkedArray, decimal: str) -> tuple[pa.ChunkedArray, str] | None:
    """Return them as int64 or float64, as they are if they only look like numbers, else None."""
    if values.null_count == len(values):
        return values.cast(pa.float64()), ""
    whole = _cast(values, pa.int64())
    if whole is not None:
        return (values if _is_padded(values) else whole), ""
    for mark in decimal or ".,":
        numbers = _decimals(values, mark)
        if numbers is not None:
            if _is_too_long(values, numbers):
                return values, ""
            seen = decimal or pc.any(pc.match_substring(values, mark)).as_py()
            return numbers, mark if seen else ""
    return None


def _are_words(values: pa.ChunkedArray) -> bool:
    """Return whether all are true or false; most columns are none by their first cells."""
    parts = (part.drop_null() for part in (values.slice(0, _FIRST), values))
    words = pa.array(TRUE + FALSE)  # not while importing: Arrow then looks for pandas
    return all(pc.all(pc.is_in(part, words), min_count=0).as_py() for part in parts)


def _booleans(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(
        values.is_null(), pa.scalar(None, pa.bool_()), pc.is_in(values, pa.array(TRUE))
    )


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        values.slice(0, _FIRST).cast(kind)  # mostly enough to see that it will not do
        return values.cast(kind)
    except pa.ArrowInvalid:
        return None


def _decimals(values: pa.ChunkedArray, mark: str) -> pa.ChunkedArray | None:
    if mark == ",":
        if pc.any(pc.match_substring(values, ".")).as_py():
            return None  # it parts thousands then, or dates
        values = pc.replace_substring(values, ",", ".")
    numbers = _cast(values, pa.float64())
    if numbers is not None and pc.any(pc.is_nan(numbers)).as_py():
        words = values.filter(pc.is_nan(numbers))  # Arrow also takes nan(x)
        if not pc.all(pc.match_substring_regex(words, f"^{NAN_WORD}$")).as_py():
            return None
    return numbers


def _is_padded(values: pa.ChunkedArray) -> bool:
    """Return whether some whole number has a leading zero."""
    digits = values
    if pc.any(pc.starts_with(values, "-0")).as_py():
        digits = pc.utf8_ltrim(values, "-")
    padded = pc.and_(pc.starts_with(digits, "0"), pc.greater(pc.binary_length(digits), 1))
    return bool(pc.any(padded).as_py())


def _is_too_long(values: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Return whether these are whole numbers that float64 cannot tell apart."""
    largest = pc.max(pc.abs(numbers)).as_py()
    if not INT64_END <= largest < float("inf"):
        return False
    return bool(pc.all(pc.match_substring_regex(values, r"^[+-]?[0-9]+$")).as_py())


def plain_types(table: pa.Table, what: str = "the table") -> pa.Table:
    """Bring every column to int64, float64, string, bool, date32 or timestamp[us].

    Whole numbers beyond int64 become strings (they are names, not amounts), a column without a
    value float64, an instant with a zone its UTC time, a duration its seconds, a time of day text.

    Raises:
        DataError: a column holds lists, structures or bytes; all such columns are named.
    """
    columns, refused = [], []
    for name, values in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(_plain(values))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            refused.append(repr(name))
    if refused:
        raise DataError(
            f"{what}: {len(refused)} column{'s hold' if len(refused) > 1 else ' holds'} no plain values: "
            f"{', '.join(refused[:10])}{', …' if len(refused) > 10 else ''}",
            hint="write lists and structures into columns of their own, or leave them out",
        )
    return pa.table(columns, names=table.column_names)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(values.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        return _plain(values.cast(kind.value_type))
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return _whole(values)
    if pa.types.is_temporal(kind):
        return _times(values)
    return values.cast(_PLAIN.get(kind, pa.string()))


def _whole(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(values.type) and values.type.scale > 0:
        return values.cast(pa.string()).cast(
            pa.float64()
        )  # the nearest number, which a cast is not
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid:
        return values.cast(pa.string())


def _times(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_date(kind):
        return values.cast(pa.date32())
    if pa.types.is_timestamp(kind):
        # nanoseconds are cut off; a zone is dropped, and what stays is the time in UTC
        finer = values.cast(pa.timestamp("us", kind.tz), safe=kind.unit != "ns")
        return finer.cast(TIMESTAMP)
    if pa.types.is_duration(kind):
        return pc.multiply(
            values.cast(pa.int64()).cast(pa.float64(), safe=False), _SECONDS[kind.unit]
        )
    texts = values.cast(pa.time64("us"), safe=False).cast(pa.string())
    return pc.replace_substring_regex(texts, r"\.0+$", "")


def column_of(values: Sequence[object], missing: frozenset[str]) -> pa.Array:
    """Return values the one type that suits them all; text where there is no other.

    Whole floats in a column without others become integers, for spreadsheets do not tell the two
    apart. Text that is empty or in `missing` is null.
    """
    cells = [_cell(value, missing) for value in values]
    kinds: set[type] = {type(cell) for cell in cells if cell is not None}
    if not kinds:
        return pa.nulls(len(cells), pa.float64())
    if kinds & {dict, list}:
        return pa.nulls(len(cells), pa.list_(pa.null()))  # which `plain_types` refuses
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds <= {int, float}:
        return _numbers_of(
            [cell for cell in cells if cell is None or isinstance(cell, int | float)]
        )
    if kinds <= {dt.date, dt.datetime}:
        times = pa.array(list(map(_instant, cells)), TIMESTAMP)
        dates = times.cast(pa.date32())
        return dates if dates.cast(TIMESTAMP).equals(times) else times
    texts = pa.array([None if cell is None else text_of(cell) for cell in cells], pa.string())
    return temporal(texts) if kinds == {str} else texts


def _cell(value: object, missing: frozenset[str]) -> object:
    if isinstance(value, str):
        value = value.strip()
        return None if not value or value in missing else value
    return None if isinstance(value, float) and value != value else value


def _instant(cell: object) -> dt.datetime | None:
    if isinstance(cell, dt.datetime):
        return cell
    return dt.datetime.combine(cell, dt.time()) if isinstance(cell, dt.date) else None


def _numbers_of(cells: Sequence[int | float | None]) -> pa.Array:
    present = [cell for cell in cells if cell is not None]
    kind: Callable[[object], object] = _float
    if all(map(_is_int64, present)):
        kind = int  # type: ignore[assignment]
    elif all(isinstance(cell, int) for cell in present):
        kind = str
    return pa.array([None if cell is None else kind(cell) for cell in cells])


def _is_int64(cell: float) -> bool:
    if isinstance(cell, int):
        return cell in _INT64
    return cell.is_integer() and abs(cell) <= EXACT


def _float(cell: object) -> float:
    return float(str(cell))  # of an int of any size, where float() may overflow
