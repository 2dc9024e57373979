"""What a cell says, whatever the form in which it came: the one rule of every reader.

Numbers live in float64, where four NaNs tell apart what is no number: a cell without a value, a cell
that holds something else, one of a row that has too few or too many cells, and a category that
training never saw.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Sequence
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Matrix = npt.NDArray[np.float64]  # (rows, features): NaN is missing, categories are codes
Vector = npt.NDArray[np.float64]  # (rows,)
Codes = npt.NDArray[np.int64]  # (rows,): class codes, or row numbers
Mask = npt.NDArray[np.bool_]  # (rows,)
Scores = npt.NDArray[np.float64]  # (rows,) of a class or numbers, (rows, classes) for several

# what str.strip() takes away; rows.c and Arrow take away the same
ASCII_BLANKS = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "
BLANKS = (
    ASCII_BLANKS + "\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
    + "\u2028\u2029\u202f\u205f\u3000"
)  # fmt: skip
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
NAN_WORD = "(?i:[+-]?nan)"
_NUMBER = re.compile(rf"{NUMBER}|(?i:[+-]?(inf|infinity|nan))")
_WHOLE = {mark: re.compile(rf"(-?[0-9]+)\{mark}0*") for mark in ".,"}
_TIME = re.compile(r"([0-9]{2}:[0-9]{2}:[0-9]{2})\.0+")
TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_BITS = 0x7FF8000000000000 + np.arange(4, dtype=np.uint64)
NOT_THERE, NOT_A_NUMBER, IN_NO_ROW, UNSEEN = _BITS.view(np.float64)
EXACT = 2**53  # whole numbers beyond it do not all fit float64
INT64_END = 2.0**63
_UINT64, _INT64_START = 2**64, -(2**63)


def number_in(cell: str, missing: Collection[str], decimal: str = ".") -> float:
    """Return the number in a cell of text, NOT_THERE or NOT_A_NUMBER."""
    cell = cell.strip()
    if not cell or cell in missing:
        return float(NOT_THERE)
    if decimal != ".":
        cell = cell.replace(".", "?").replace(decimal, ".")
    if not _NUMBER.fullmatch(cell):
        return float(NOT_A_NUMBER)
    number = float(cell)
    return number if number == number else float(NOT_THERE)


def boolean_in(cell: str, missing: Collection[str], decimal: str = ".") -> float:
    """Return 1.0, 0.0, NOT_THERE or NOT_A_NUMBER for a word, or for a number that is 1 or 0."""
    cell = cell.strip()
    if cell in missing:
        return float(NOT_THERE)
    if cell in TRUE:
        return 1.0
    return 0.0 if cell in FALSE else truth_of(number_in(cell, missing, decimal))


def truth_of(number: float) -> float:
    """Return the number itself when it is 1.0, 0.0 or a NaN, and else NOT_A_NUMBER."""
    return float(NOT_A_NUMBER) if number not in {0.0, 1.0} and number == number else abs(number)


def text_of(value: object) -> str:
    """Return a value as it would stand in a CSV: "" for none, whole numbers without a decimal point."""
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
    """Return the one form of all texts that mean the same category.

    Composed characters, true and false in small letters, whole numbers without a decimal point, and
    times without a fraction of zero.
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


def name_of(text: object) -> str:
    """Return a column's name as all forms have it: without blanks around, its characters composed."""
    name = str(text).strip()
    return name if name.isascii() else normalize("NFC", name)


def whole_id(value: object) -> object:
    """Return an id that JSON's encoder takes: whole numbers beyond 64 bits as their digits."""
    beyond = isinstance(value, int) and not _INT64_START <= value < _UINT64
    return str(value) if beyond else value


def one_of_each(texts: Iterable[str], decimal: str = ".") -> tuple[str, ...]:
    """Return the categories that texts name, sorted; of those that mean the same, the plainest."""
    found: dict[str, str] = {}
    for text in sorted(texts):
        form = canonical(text, decimal)
        if form == text or form not in found:
            found[form] = normalize("NFC", text)
    return tuple(sorted(found.values()))


class Categories:
    """Finds the category that a text means, by its exact text first.

    Args:
        known: the categories, in the order of their codes.
        missing: texts that mean no value, besides the empty one.
        decimal: the mark of whole numbers that are written with one.
    """

    def __init__(self, known: Sequence[str], missing: Iterable[str], decimal: str = ".") -> None:
        self._known = known
        self._decimal = decimal
        texts = dict.fromkeys(("", *missing), float(NOT_THERE))
        texts.update((text, float(code)) for code, text in enumerate(known))
        self._codes: dict[str | None, float] = {None: float(IN_NO_ROW)}
        self._codes.update(texts.items())
        forms = reversed(texts.items())  # the first of several with one form holds
        self._forms = {canonical(text, decimal): code for text, code in forms}

    def codes(self, texts: Sequence[str | None]) -> Vector:
        """Return (texts,) codes, NOT_THERE, UNSEEN, or IN_NO_ROW for None."""
        codes = self._codes
        try:
            return np.array([codes[text] for text in texts], np.float64)
        except KeyError:
            other = {text for text in set(texts) if text is not None} - codes.keys()
            codes = {**codes, **{text: self._code(text) for text in other}}
            return np.array([codes[text] for text in texts], np.float64)

    def _code(self, text: str) -> float:
        return self._forms.get(canonical(text, self._decimal), float(UNSEEN))


def float_vector(values: pa.ChunkedArray) -> Vector:
    """Return numbers as float64; a missing one is NaN, one beyond 2^53 is the nearest that there is."""
    numbers: Vector = values.cast(pa.float64(), safe=False).to_numpy()
    return numbers


def numbers_in(texts: Iterable[str]) -> tuple[float, ...]:
    """Return those of the texts that are numbers, such as -999: they mean it however written."""
    numbers = (number_in(text, ()) for text in texts)
    return tuple(number for number in numbers if number == number)


def is_marked(numbers: Vector, mark: np.float64) -> Mask:
    """Return where one of the four NaNs stands; any NaN that is none of them means no value."""
    bits, wanted = numbers.view(np.uint64), mark.view(np.uint64)
    if wanted != _BITS[0]:
        found: Mask = bits == wanted
        return found
    return np.isnan(numbers) & ~np.isin(bits, _BITS[1:])
