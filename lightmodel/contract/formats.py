"""Parse the texts of columns that are written in a format of their own, such as amounts.

A format is a kind, a blank, and what the kind needs to know: "amount $#,##0.##". `Column.format` holds
it, and every reader asks `text_parser` what a text of such a column means.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from lightmodel.contract.amounts import AmountFormat
from lightmodel.contract.cells import MISSING, RAGGED, Vector, parse_number
from lightmodel.contract.columns import Column, ColumnType
from lightmodel.contract.dates import parse_seconds

TextParser = Callable[[Sequence[str | None]], Vector]
DATE, TIME, DURATION = "date", "time", "duration"
_Parse = Callable[[Sequence[str], str], Iterable[float]]  # of texts, and the table's decimal mark
# kind → what makes of a format's second part the parser of its distinct texts
_KINDS: Mapping[str, Callable[[str], _Parse]] = {
    AmountFormat.KIND: lambda pattern: AmountFormat.from_pattern(pattern).parse,
    DATE: lambda order: _times(ColumnType.DATETIME, order),
    TIME: lambda order: _times(ColumnType.TIME, order),
    DURATION: lambda order: _times(ColumnType.DURATION, order),
}


def time_format(kind: ColumnType, order: str = "") -> str:
    """Return the `Column.format` of dates and times; `order` is that of day and month in their texts."""
    return f"{DATE if kind.is_date else kind} {order}".rstrip()


def order_of(written: str) -> str:
    """Return the order of day and month in a format of dates, "" if it has none."""
    return written.partition(" ")[2]


def _times(kind: ColumnType, order: str) -> _Parse:
    return partial(_time_numbers, kind, order)


def _time_numbers(kind: ColumnType, order: str, texts: Sequence[str], decimal: str) -> list[float]:
    seconds: list[float] = parse_seconds(texts, kind, order).tolist()
    if not kind.takes_numbers:
        return seconds
    return [
        parse_number(text, (), decimal) if value != value else value
        for text, value in zip(texts, seconds, strict=True)
    ]


def text_parser(column: Column, missing: Iterable[str], decimal: str = ".") -> TextParser:
    """Return a function from the stripped texts of a column with a format to their numbers.

    A text may also be a plain number. The function returns (texts,) float64: MISSING for a text
    without a value, INVALID for one that is not of the format, RAGGED for None.

    Args:
        column: whose `format` is not empty.
        missing: texts that mean a missing value, besides the empty one.
        decimal: the decimal mark of plain numbers in the table that the texts come from.
    """
    kind, _, detail = column.format.partition(" ")
    parse = _KINDS[kind](detail)
    known: dict[str | None, float] = dict.fromkeys(("", *missing), float(MISSING))
    known[None] = float(RAGGED)

    def numbers(texts: Sequence[str | None]) -> Vector:
        new = [text for text in set(texts) if text is not None and text not in known]
        values = known | dict(zip(new, parse(new, decimal), strict=True))
        return np.array([values[text] for text in texts], np.float64)

    return numbers


def plain_decimal(column: Column, decimal: str) -> str:
    """Return the decimal mark of a table's plain numbers in one of its columns.

    It is that of the column's amounts, lest 1.125 among them be taken for 1,125.
    """
    kind, _, detail = column.format.partition(" ")
    return AmountFormat.from_pattern(detail).decimal if kind == AmountFormat.KIND else decimal
