"""Parse the texts of columns that are written in a format of their own, such as amounts.

A format is a kind, a blank, and what the kind needs to know: "amount $#,##0.##". `Column.format` holds
it, and every reader asks `text_parser` what a text of such a column means.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from lightmodel.contract.amounts import AmountFormat
from lightmodel.contract.cells import MISSING, RAGGED, Vector
from lightmodel.contract.columns import Column

TextParser = Callable[[Sequence[str | None]], Vector]
_Parse = Callable[[Sequence[str], str], Iterable[float]]  # of texts, and the table's decimal mark
# kind → what makes of a format's second part the parser of its distinct texts
_KINDS: Mapping[str, Callable[[str], _Parse]] = {
    AmountFormat.KIND: lambda pattern: AmountFormat.from_pattern(pattern).parse,
}


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
