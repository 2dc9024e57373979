"""Columns of text: blanks and missing values, and the type that all of a column's cells agree on.

A type is found from the whole column, never from its beginning, so that the order of the rows does
not matter.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.tables.plain import TIMESTAMP

_WORDS = pa.array(["true", "True", "TRUE", "false", "False", "FALSE"])
_TRUE = _WORDS[:3]
_FIRST = 100
_INT64_END = 2.0**63
# cutting nanoseconds off, or a zone, is for `plain_types`
_TEMPORAL = (
    pa.date32(),
    TIMESTAMP,
    pa.timestamp("ns"),
    pa.timestamp("us", "UTC"),
    pa.timestamp("ns", "UTC"),
)


@dataclass(frozen=True)
class Writing:
    """How cells are written.

    Attributes:
        missing: what a cell without a value holds, "" among them.
        decimal: the decimal mark; "" when either may come (not both in one column).
    """

    missing: tuple[str, ...]
    decimal: str = "."

    @property
    def missing_numbers(self) -> pa.Array:
        """Those of `missing` that are numbers, such as -999: they mean it however written."""
        numbers = []
        for text in self.missing:
            try:
                numbers.append(float(text))
            except ValueError:
                continue
        return pa.array([number for number in numbers if number == number], pa.float64())


def tidy(values: pa.ChunkedArray, missing: tuple[str, ...]) -> pa.ChunkedArray:
    """Strip the texts, and make those null that mean no value."""
    trimmed = _trimmed(values)
    absent = pc.is_in(trimmed, value_set=pa.array(missing, pa.string()))
    if pc.any(absent).as_py():
        return pc.if_else(absent, pa.scalar(None, pa.string()), trimmed)
    return trimmed


def tidy_texts(table: pa.Table, missing: tuple[str, ...]) -> pa.Table:
    """Tidy all text columns of a table of plain types; its other columns stay as they are."""
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            values = tidy(table.column(at), missing)
            if values.null_count == len(values):
                values = values.cast(pa.float64())
            table = table.set_column(at, field.name, values)
    return table


def typed(values: pa.ChunkedArray, writing: Writing) -> pa.ChunkedArray:
    """Give a column of text the type that all its cells agree on.

    Digits after a leading zero (007), and whole numbers too long for int64, stay text: as numbers
    they would lose what tells them apart.

    Args:
        values: null where a cell holds exactly what means no value.
        writing: how the cells are written.
    """
    numbers = _numbers(values, writing.decimal)  # first, for a number has no blanks to strip
    if numbers is not None:
        return numbers
    trimmed = _trimmed(values)
    if trimmed is not values:
        values = tidy(trimmed, writing.missing)
        numbers = _numbers(values, writing.decimal)
        if numbers is not None:
            return numbers
    return _booleans(values) if _are_words(values) else temporal(values)


def without(values: pa.ChunkedArray, numbers: pa.Array) -> pa.ChunkedArray:
    """Make null what equals one of `numbers`, in a column of numbers."""
    if len(numbers) == 0 or not pa.types.is_floating(values.type):
        return values
    absent = pc.is_in(values, value_set=numbers)
    return pc.if_else(absent, pa.scalar(None, values.type), values)


def temporal(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read texts as dates or times if all of them are such, written as in ISO 8601."""
    for kind in _TEMPORAL:
        times = _cast(values, kind)
        if times is not None:
            return times
    return values


def _trimmed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Strip the texts; give back `values` itself where there is nothing to strip."""
    trim = pc.ascii_trim_whitespace
    if not pc.all(pc.string_is_ascii(values), min_count=0).as_py():
        trim = pc.utf8_trim_whitespace
    trimmed = trim(values)
    return values if _length(trimmed) == _length(values) else trimmed


def _length(values: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.binary_length(values)).as_py() or 0)


def _numbers(values: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray | None:
    """Give them as int64 or float64, as they are if they only look like numbers, else None."""
    if values.null_count == len(values):
        return values.cast(pa.float64())
    whole = _cast(values, pa.int64())
    if whole is not None:
        return values if _is_padded(values) else whole
    for mark in decimal or ".,":
        numbers = _decimals(values, mark)
        if numbers is not None:
            return values if _is_too_long(values, numbers) else numbers
    return None


def _are_words(values: pa.ChunkedArray) -> bool:
    """Say whether all are true or false; most columns are none by their first cells."""
    parts = (part.drop_null() for part in (values.slice(0, _FIRST), values))
    return all(pc.all(pc.is_in(part, _WORDS), min_count=0).as_py() for part in parts)


def _booleans(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(values.is_null(), pa.scalar(None, pa.bool_()), pc.is_in(values, _TRUE))


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
    return _cast(values, pa.float64())


def _is_padded(values: pa.ChunkedArray) -> bool:
    """Say whether some whole number has a leading zero."""
    digits = values
    if pc.any(pc.starts_with(values, "-0")).as_py():
        digits = pc.utf8_ltrim(values, "-")
    padded = pc.and_(pc.starts_with(digits, "0"), pc.greater(pc.binary_length(digits), 1))
    return bool(pc.any(padded).as_py())


def _is_too_long(values: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Say whether these are whole numbers that float64 cannot tell apart."""
    largest = pc.max(pc.abs(numbers)).as_py()
    if not _INT64_END <= largest < float("inf"):
        return False
    return bool(pc.all(pc.match_substring_regex(values, r"^[+-]?[0-9]+$")).as_py())
