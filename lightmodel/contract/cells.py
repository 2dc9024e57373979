"""Parse cells: the rules that all readers share, whatever the format of the table.

Numbers are float64, in which four distinct NaNs mark other cells: MISSING, a cell without a value;
INVALID, one that is not a number; RAGGED, one of a row with too few or too many cells; and UNSEEN, a
category that training never saw.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

Matrix = npt.NDArray[np.float64]  # (rows, features): NaN is missing, categories are codes
Vector = npt.NDArray[np.float64]  # (rows,)
Codes = npt.NDArray[np.int64]  # (rows,): class codes, or row numbers
Mask = npt.NDArray[np.bool_]  # (rows,)
Scores = npt.NDArray[np.float64]  # (rows,) of a class or numbers, (rows, classes) for several

# what str.strip() strips; rows.c and the Arrow reader strip the same
ASCII_WHITESPACE = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "
WHITESPACE = (
    ASCII_WHITESPACE + "\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000"
)  # fmt: skip
NUMBER_PATTERN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
NAN_WORD = "(?i:[+-]?nan)"
_NUMBER = re.compile(rf"{NUMBER_PATTERN}|(?i:[+-]?(inf|infinity|nan))")
_WHOLE = {mark: re.compile(rf"(-?[0-9]+)\{mark}0*") for mark in ".,"}
_TIME = re.compile(r"([0-9]{2}:[0-9]{2}:[0-9]{2})\.0+")
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_BITS = 0x7FF8000000000000 + np.arange(4, dtype=np.uint64)
MISSING, INVALID, RAGGED, UNSEEN = _BITS.view(np.float64)
EXACT = 2**53  # float64 holds every integer up to it exactly
INT64_END = 2.0**63
_UINT64, _INT64_START = 2**64, -(2**63)


def parse_number(cell: str, missing: Collection[str], decimal: str = ".") -> float:
    """Return the number in a cell of text, MISSING or INVALID."""
    cell = cell.strip()
    if not cell or cell in missing:
        return float(MISSING)
    if decimal != ".":
        cell = cell.replace(".", "?").replace(decimal, ".")
    if not _NUMBER.fullmatch(cell):
        return float(INVALID)
    number = float(cell)
    return number if number == number else float(MISSING)


def with_point(cell: str) -> str:
    """Return a text with a decimal comma with a decimal point, and any other as it is.

    Texts in JSON, Parquet and Excel may be written as in a training table with decimal commas.
    """
    return cell.replace(",", ".") if "." not in cell else cell


def parse_boolean(cell: str, missing: Collection[str], decimal: str = ".") -> float:
    """Return 1.0 or 0.0 for true, false, 1 or 0 in a cell of text, else MISSING or INVALID."""
    cell = cell.strip()
    if cell in missing:
        return float(MISSING)
    if cell in TRUE:
        return 1.0
    return 0.0 if cell in FALSE else number_as_boolean(parse_number(cell, missing, decimal))


def number_as_boolean(number: float) -> float:
    """Return 1.0, 0.0 or a NaN as it is, and INVALID for any other number."""
    return float(INVALID) if number not in {0.0, 1.0} and number == number else abs(number)


def to_str(value: object) -> str:
    """Return a value as a CSV cell: "" if it is missing, integral numbers without a decimal point."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return str(int(value))
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def canonical(text: str, decimal: str = ".") -> str:
    """Return the canonical form of all texts that mean the same category.

    Characters are composed (NFC), true and false in lower case, integral numbers without a decimal
    point, and times without a fraction of zero.
    """
    if not text.isascii():
        return normalize("NFC", text)
    if text in TRUE or text in FALSE:
        return text.lower()
    whole = _WHOLE[decimal].fullmatch(text)
    if whole:
        return "0" if whole[1] == "-0" else whole[1]
    time = _TIME.fullmatch(text)
    return time[1] if time else text


def normalize_name(text: object) -> str:
    """Return a column's name in canonical form: stripped, and with composed characters (NFC)."""
    name = str(text).strip()
    return name if name.isascii() else normalize("NFC", name)


def json_id(value: object) -> object:
    """Return an id that the JSON encoder accepts: integers beyond 64 bits become text."""
    beyond = isinstance(value, int) and not _INT64_START <= value < _UINT64
    return str(value) if beyond else value


def distinct_categories(texts: Iterable[str], decimal: str = ".") -> tuple[str, ...]:
    """Return the distinct categories, sorted; of texts that mean the same, the canonical one if present."""
    by_form: dict[str, str] = {}
    for text in sorted(texts):
        form = canonical(text, decimal)
        if form == text or form not in by_form:
            by_form[form] = normalize("NFC", text)
    return tuple(sorted(by_form.values()))


class Categories:
    """Encodes texts as category codes; an exact match precedes one of the canonical form.

    Args:
        known: the categories, in the order of their codes.
        missing: texts that mean a missing value, besides the empty one.
        decimal: the decimal mark, for whole numbers written with one.
    """

    def __init__(self, known: Sequence[str], missing: Iterable[str], decimal: str = ".") -> None:
        self._known = known
        self._decimal = decimal
        texts = dict.fromkeys(("", *missing), float(MISSING))
        texts.update((text, float(code)) for code, text in enumerate(known))
        self._codes: dict[str | None, float] = {None: float(RAGGED)}
        self._codes.update(texts.items())
        forms = reversed(texts.items())  # of several with the same form, the first wins
        self._forms = {canonical(text, decimal): code for text, code in forms}

    def codes(self, texts: Sequence[str | None]) -> Vector:
        """Return (texts,) codes, MISSING or UNSEEN; RAGGED for None."""
        codes = self._codes
        try:
            return np.array([codes[text] for text in texts], np.float64)
        except KeyError:
            other = {text for text in set(texts) if text is not None} - codes.keys()
            codes = {**codes, **{text: self._code(text) for text in other}}
            return np.array([codes[text] for text in texts], np.float64)

    def _code(self, text: str) -> float:
        return self._forms.get(canonical(text, self._decimal), float(UNSEEN))


def float_vector(values: "pa.ChunkedArray") -> Vector:
    """Return numbers as float64; null becomes NaN, and an integer beyond 2^53 is rounded."""
    numbers: Vector = values.cast("float64", safe=False).to_numpy()
    return numbers


def parse_numbers(texts: Iterable[str]) -> tuple[float, ...]:
    """Return the numbers among the texts, e.g. -999, so that every spelling of them matches."""
    numbers = (parse_number(text, ()) for text in texts)
    return tuple(number for number in numbers if number == number)


def is_marker(numbers: Vector, mark: np.float64) -> Mask:
    """Return the mask of one of the four NaNs; any other NaN counts as MISSING."""
    bits, wanted = numbers.view(np.uint64), mark.view(np.uint64)
    if wanted != _BITS[0]:
        mask: Mask = bits == wanted
        return mask
    return np.isnan(numbers) & ~np.isin(bits, _BITS[1:])
