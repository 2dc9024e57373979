"""Detect the format of a text column of amounts, and convert the column as a whole, with Arrow.

The parser of single texts is `AmountFormat.parse`; both give the same numbers.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.amounts import (
    APOSTROPHES,
    BLANKS,
    BRACKETED,
    CURRENCY,
    MINUS,
    UNBRACKETED,
    AmountFormat,
)
from lightmodel.errors import SHOWN_ROWS

_FIRST_ROWS = 100
_MOST = 0.9  # of texts, the others of which are exceptions
_MANY = 0.6  # of texts that mostly differ, so that they are no categories such as 7, 8 and A
_FEW_ROWS = 5  # in which numbers may have three decimals by chance
_GROUPED = "^[+-]?(?:[0-9]{{1,3}}|[1-9][0-9]{{0,2}}(?:[{0}][0-9]{{3}})+)$"
_MARKS = ".,' "
_ENDS = (
    f"^[+-]? ?(?:{CURRENCY})? ?[+-]?\\(? ?(?:{CURRENCY})? ?",
    f" ?(?:{CURRENCY}|%)? ?\\)?(?:{CURRENCY}|%)?-?$",
)
_DIGIT = (
    "[0-9]"  # rules out most columns of texts, for the next pattern takes a millisecond to compile
)
# any amount at all
_AMOUNT = "[0-9.,][0-9.,' ]*".join(_ENDS)
# what is a number for sure, while 31.12.2024 may be a date
_SURE = "[0-9]+(?:[.,' ][0-9]{3})*(?:[.,][0-9]+)?".join(_ENDS)
_CODE = "^[^0-9.,]*0[0-9]|^[+][0-9]+ [0-9]"  # no quantities, but numbers of parts or of telephones


def read_amounts(values: pa.ChunkedArray, decimal: str) -> tuple[pa.ChunkedArray, str] | None:
    """Convert a column if all its texts are amounts, written in one way.

    Texts that are only numbers are not: they are text because they must not be numbers.

    Args:
        values: stripped texts; null is a missing value.
        decimal: the decimal mark of the table's plain numbers.

    Returns:
        The numbers, as int64 if they are whole, and the format; None if the column holds others.
    """
    first = _canonical(values.slice(0, _FIRST_ROWS))
    if not (_all_match(first, _DIGIT) and _all_match(first, _AMOUNT)):
        return None
    written = _format_of(first, decimal)
    numbers = convert_amounts(values, written) if written else None
    if written is None or numbers is None or written.group == decimal:
        # what the first rows leave open, others may decide
        texts = _canonical(values)
        written = _format_of(texts, decimal) if _all_match(texts, _AMOUNT) else None
        numbers = convert_amounts(texts, written) if written else None
    if written is None or numbers is None or _any_matches(values, _CODE):
        return None
    if written.percent and not _all_match(values, "%|^0*[.,]?0*$"):
        return None  # is 5 five, or five percent?
    return numbers, str(written)


def _format_of(texts: pa.ChunkedArray, decimal: str) -> AmountFormat | None:
    formats = _candidates(texts, decimal)
    return next((one for one in formats if convert_amounts(texts, one) is not None), None)


def why_no_amounts(texts: pa.ChunkedArray) -> str:
    """Return why a column of which most texts are amounts or numbers is none; "" if they are not."""
    first = texts.slice(0, _FIRST_ROWS)
    for part, pattern in ((first, _DIGIT), (first, _SURE), (texts, _SURE)):
        is_amount = pc.match_substring_regex(_canonical(part), pattern)
        share = pc.mean(is_amount.cast(pa.float64())).as_py() or 0.0
        if share < _MANY:
            return ""
    if share < _MOST and 2 * pc.count_distinct(texts).as_py() < len(texts):
        return ""
    if share == 1:
        several = _any_matches(texts, f"%|{CURRENCY}")
        return "its amounts are not all written in one way" if several else ""
    rows = (np.flatnonzero(~is_amount.fill_null(True).to_numpy()) + 1).tolist()
    named = ", ".join(map(str, rows[:SHOWN_ROWS])) + (", …" if len(rows) > SHOWN_ROWS else "")
    return (
        f"{len(rows):,} of {len(texts):,} are no numbers (rows {named} below the header); if they "
        "mean a missing value, add them to data.na_values"
    )


def are_grouped(texts: pa.ChunkedArray, mark: str) -> bool:
    """Return whether a table's decimal mark rather parts groups of digits in a column of numbers.

    So it is where all numbers with the mark have three digits behind it, and all others at most
    three: 999 and 1,000.
    """
    if not _all_match(texts.slice(0, _FIRST_ROWS), _GROUPED.format(mark)):
        return False
    marked = pc.match_substring(texts, mark)
    few = pc.sum(marked).as_py() or 0
    return bool(
        _FEW_ROWS <= few < len(texts) - texts.null_count
        and _all_match(texts, _GROUPED.format(mark))
    )


def convert_amounts(values: pa.ChunkedArray, written: AmountFormat) -> pa.ChunkedArray | None:
    """Return a column of a format as int64 or float64; None if a text is not written in it."""
    texts = _canonical(values)
    if _contains(texts, "("):
        texts = pc.replace_substring_regex(texts, f"^{BRACKETED}$", UNBRACKETED)
    if not _all_match(texts, f"^(?:{written.pattern})$"):
        return None
    is_signed, is_negative = _contains(texts, "+") or _contains(texts, "-"), None
    if is_signed:
        minus = pc.count_substring(texts, "-")
        if pc.any(pc.greater(pc.add(minus, pc.count_substring(texts, "+")), 1)).as_py():
            return None
        is_negative = pc.equal(minus, 1)
    for part in (written.currency, written.group, *(" +-" if is_signed else " ")):
        if part and _contains(texts, part):
            texts = pc.replace_substring(texts, part, "")
    numbers = _unsigned(texts, written)
    if numbers is None or is_negative is None:
        return numbers
    return pc.if_else(is_negative, pc.negate(numbers), numbers)


def _unsigned(texts: pa.ChunkedArray, written: AmountFormat) -> pa.ChunkedArray | None:
    """Return digits with a decimal mark, and perhaps a percent sign, as numbers."""
    if written.percent:
        texts = pc.replace_substring(texts, "%", "e-2")
    is_whole = not (written.percent or _contains(texts, written.decimal))
    if written.decimal != ".":
        texts = pc.replace_substring(texts, written.decimal, ".")
    try:
        return texts.cast(pa.int64() if is_whole else pa.float64())
    except pa.ArrowInvalid:  # integers beyond int64 are identifiers
        return None


def _candidates(texts: pa.ChunkedArray, decimal: str) -> Iterator[AmountFormat]:
    """Yield the formats that may fit, the most likely first."""
    currencies = _currencies(texts)
    percent = _contains(texts, "%")
    if len(currencies) > 1 or (currencies and percent):
        return
    currency = currencies[0] if currencies else ""
    body = pc.replace_substring(texts, currency, "") if currency else texts
    marks = [mark for mark in _MARKS if _any_matches(body, f"[0-9][{mark}][0-9]")]
    has_sign = bool(currency or percent or _contains(texts, "("))
    if not (has_sign or set(marks) - {decimal} or _parts_groups(texts, decimal)):
        return  # they are plain numbers
    for group, mark in _marks(body, marks, decimal, is_money=bool(currency)):
        if has_sign or group:
            yield AmountFormat(currency, group, mark, percent)


def _parts_groups(texts: pa.ChunkedArray, mark: str) -> bool:
    return _any_matches(texts, f"[{mark}][0-9]{{3}}[{mark}]") or are_grouped(texts, mark)


def _currencies(texts: pa.ChunkedArray) -> list[str]:
    found = pc.extract_regex(texts, f"(?P<currency>{CURRENCY})")
    return [one for one in pc.struct_field(found, "currency").unique().to_pylist() if one]


def _marks(
    texts: pa.ChunkedArray, marks: list[str], decimal: str, *, is_money: bool
) -> Iterator[tuple[str, str]]:
    """Yield pairs of a group mark and a decimal mark.

    Where all texts with a mark have three digits behind it, money is grouped by it: it has two
    decimals or none.
    """
    other = "," if decimal == "." else "."
    points = [mark for mark in marks if mark in ".,"]
    if is_money and len(points) == 1:
        mark = points[0]
        if not _any_matches(texts, f"[{mark}](?:[0-9]{{0,2}}|[0-9]{{4,}})(?:[^0-9]|$)"):
            yield mark, "," if mark == "." else "."
    for point in (decimal, other):
        yield from ((group, point) for group in (*marks, "") if group != point)


def _canonical(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write each of the marks that have several forms in one way; see `amounts.CANONICAL`."""
    if pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return texts
    texts = pc.replace_substring_regex(texts, f"[{BLANKS}]", " ")
    texts = pc.replace_substring_regex(texts, f"[{APOSTROPHES}]", "'")
    return pc.replace_substring(texts, MINUS, "-")


def _contains(texts: pa.ChunkedArray, part: str) -> bool:
    return bool(pc.any(pc.match_substring(texts, part)).as_py())


def _any_matches(texts: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def _all_match(texts: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py())
