"""Rows of text: where they end, how they are parted into cells, and what reads them as numbers.

A regular text has no blanks between a delimiter and an opening quote, and just one between two cells
that are parted by blanks. Arrow reads it, and otherwise parts cells as `RowGrammar` describes.
"""

import csv
import ctypes as c
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import chain
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import ASCII_BLANKS, BLANKS, Matrix
from lightmodel.errors import DataError

OPEN_QUOTE = "a quote is never closed"
SAMPLE_ROWS = 1_000
_SEPARATOR = "\x1f"
_MOST_HELD = 8 << 20  # beyond, some quote is never closed, and waiting for its end costs memory
_LONG_BLANKS = (
    "\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
_LINE_START, _LINE_END = "(?:\\A|(?<=[\r\n]))", "(?=[\r\n]|\\Z)"


class CellKind(IntEnum):
    """How a reader of rows treats a column."""

    IGNORED = 0
    NUMBER = 1
    BOOLEAN = 2
    TEXT = 3


@dataclass(frozen=True)
class Layout:
    """How a text of rows is written, and what to make of it.

    Attributes:
        kinds: of each cell of a row, a CellKind as one byte.
        places: of each cell among the numbers, or among the texts.
        width: how many numbers a row of the answer has.
        missing: what means no value, besides an empty cell.
    """

    kinds: bytes
    places: tuple[int, ...]
    width: int
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    missing: tuple[str, ...] = ()

    @property
    def texts(self) -> int:
        """How many texts a row of the answer has."""
        return self.kinds.count(CellKind.TEXT)


@dataclass(frozen=True)
class RawRows:
    """Whole rows of a text, not yet validated against a contract.

    Attributes:
        numbers: (rows, width), row by row; columns that no cell fills are undefined.
        texts: of each TEXT column, one for each row, without blanks; None in a row of another length.
        consumed: bytes that these rows took.
        ragged: rows with too few or too many cells.
    """

    numbers: Matrix
    texts: tuple[list[str | None], ...]
    consumed: int
    ragged: int


class RowReader(Protocol):
    """Reads the whole rows at the beginning of a UTF-8 text.

    Blank lines are no rows. A row ends with LF, CR or CRLF, outside quotes; a quote within quotes is
    doubled. Blanks around cells do not count. Whatever the text, nothing is raised but DataError, and
    the same text gives the same bits from every reader.
    """

    def __call__(self, layout: Layout, text: bytes, *, final: bool) -> RawRows:
        """Read rows; `final` says that the text ends here, so that its last row is whole too.

        Raises:
            DataError: a quote is never closed.
        """
        ...


class _Layout(c.Structure):
    _fields_ = (
        ("delimiter", c.c_char),
        ("quote", c.c_char),
        ("decimal", c.c_char),
        ("separator", c.c_char),
        ("cells", c.c_int32),
        ("width", c.c_int32),
        ("texts", c.c_int32),
        ("kinds", c.c_void_p),
        ("places", c.c_void_p),
        ("missing", c.c_char_p),
    )


class _Outcome(c.Structure):
    _fields_ = (("rows", c.c_int64), ("consumed", c.c_int64), ("ragged", c.c_int64))


class CompiledRows:
    """A RowReader; the interpreter's lock is released while it reads."""

    def __init__(self, library: c.CDLL) -> None:
        self._read = library.read_rows

    def __call__(self, layout: Layout, text: bytes, *, final: bool) -> RawRows:
        """Read rows; see `RowReader`."""
        capacity = len(text) // len(layout.kinds) + 1  # of rows of the right number of cells
        numbers = np.empty((capacity, layout.width))
        spans = np.empty((capacity, layout.texts, 2), np.int64)
        outcome = _Outcome()
        unclosed = self._read(
            c.byref(_described(layout)),
            c.c_char_p(text),
            c.c_int64(len(text)),
            c.c_int(final),
            c.c_void_p(numbers.ctypes.data),
            c.c_void_p(spans.ctypes.data),
            c.c_int64(capacity),
            c.byref(outcome),
        )
        if unclosed:
            raise open_quote()
        texts = tuple(
            _texts(text, spans[: outcome.rows, at], layout.quote) for at in range(layout.texts)
        )
        return RawRows(numbers[: outcome.rows], texts, outcome.consumed, outcome.ragged)


@lru_cache(16)
def _described(layout: Layout) -> _Layout:
    kinds = c.create_string_buffer(layout.kinds)
    places = (c.c_int32 * len(layout.places))(*layout.places)
    described = _Layout(
        layout.delimiter.encode(),
        layout.quote.encode(),
        layout.decimal.encode(),
        _SEPARATOR.encode(),
        len(layout.kinds),
        layout.width,
        layout.texts,
        c.addressof(kinds),
        c.addressof(places),
        "".join(token + _SEPARATOR for token in layout.missing).encode(),
    )
    described.alive = kinds, places  # it holds their addresses only
    return described


def _texts(text: bytes, spans: npt.NDArray[np.generic], quote: str) -> list[str | None]:
    return [
        text[start : start + length].decode()
        if length >= 0 <= start
        else _undone(text, start, -length, quote)
        for start, length in spans.tolist()
    ]


def _undone(text: bytes, start: int, length: int, quote: str) -> str | None:
    """Undo the quotes of a cell: a doubled one stands for itself, the first other one closes."""
    if start < 0:
        return None
    cell = text[start : start + length].decode()
    closing = _closing(quote).match(cell)
    within = closing[1] if closing else cell
    return (within.replace(quote * 2, quote) + cell[len(within) + 1 :]).strip()


@lru_cache(16)
def _closing(quote: str) -> re.Pattern[str]:
    mark = re.escape(quote)
    return re.compile(f"((?:[^{mark}]|{mark}{mark})*+){mark}")


class RowGrammar:
    """The grammar of rows for one delimiter and one quote.

    Args:
        delimiter: between two cells.
        quote: around a cell.
        single: whether a row has one cell only; then a line of blanks is taken out, which elsewhere
            Arrow tells of.
        runs: whether any number of blanks is one delimiter, which is " " then.
    """

    def __init__(
        self, delimiter: str, quote: str, *, single: bool = False, runs: bool = False
    ) -> None:
        within = ASCII_BLANKS.translate(dict.fromkeys(map(ord, f"\r\n{delimiter}")))
        blank = f"(?:[{within}]|{_LONG_BLANKS})"
        mark, part = re.escape(quote), re.escape(delimiter)
        quoted = f"{mark}(?:[^{mark}]++|{mark}{mark})*+{mark}"
        # Lines within quotes that go on behind them are rows that an open quote has swallowed.
        one_line = f"{mark}(?:[^{mark}\r\n]++|{mark}{mark})*+{mark}[^{part}\r\n]*+"
        lines = f"{quoted}{blank}*+(?=[{part}\r\n])"
        cell = f"(?:{blank}*+(?:{one_line}|{lines})|(?!{blank}*+{mark})[^{part}\r\n]*+)"
        row = f"(?:{cell}{part})*+{cell}(?:\r\n|\n|\r(?!\\Z))"
        blank_line = f"{_LINE_START}(?:{blank}|\x1a)++{_LINE_END}"
        odd = f"(?:\\A|(?<=[{part}\r\n])){blank}*+({quoted})"
        if runs:
            start = "(?:\\A|(?<=[ \t\r\n]))"
            odd = f"{start}({quoted}[^ \t\r\n]*+)|{_LINE_START}[ \t]++|[ \t]++{_LINE_END}|([ \t]++)"
        self._quote = quote.encode()
        self._always = single or runs
        self._row, self._rows = _compiled(row), _compiled(f"(?:{row})*+")
        self._blank_lines = _compiled(f"(?:(?:{blank}|\x1a)*+[\r\n])++")
        self._odd = _compiled(f"{odd}|{blank_line}" if single else odd)
        # a quote behind what may be a blank's last byte; to look for the quote first is faster
        self._late_quote = _compiled(f"{mark}(?<=[{within}\x80-\xaf]{mark})")

    def end(self, text: bytes) -> int:
        """Return where the last whole row ends, given that the text may go on."""
        if self._quote in text:
            return self._rows.match(text).end()  # type: ignore[union-attr]
        return max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1

    def first(self, text: bytes, start: int = 0) -> tuple[int, int]:
        """Return where the first row from `start` on begins and ends that is no line of blanks."""
        blank = self._blank_lines.match(text, start)
        start = blank.end() if blank else start
        end = text.find(b"\n", start) + 1
        if end and self._quote not in text[start:end] and b"\r" not in text[start : end - 2]:
            return start, end  # as nearly all lines are
        row = self._row.match(text, start)
        return start, row.end() if row else len(text)

    def regular(self, rows: bytes) -> bytes:
        """Return whole rows as regular text."""
        if not self._always and not (self._quote in rows and self._late_quote.search(rows)):
            return rows
        return self._odd.sub(_kept, rows)

    def regular_pieces(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield a text as regular text.

        Raises:
            DataError: a quote is never closed.
        """
        held = b""
        for piece in chain(pieces, [b""]):
            text = held + piece
            cut = self.end(text if piece else text + b"\n")
            if len(text) - cut > (_MOST_HELD if piece else 0):
                raise open_quote()
            held = text[cut:]
            if cut:
                yield self.regular(text[:cut])


def _kept(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return found[1]
    return b" " if found.lastindex == 2 else b""


def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode("latin-1"))


@lru_cache(64)
def rows_of(
    delimiter: str, quote: str, *, single: bool = False, parted: bool = False
) -> RowGrammar:
    """Return the grammar of a text; any number of blanks parts cells, or one where `parted` says so."""
    return RowGrammar(delimiter, quote, single=single, runs=delimiter == " " and not parted)


def numbered_rows(
    lines: Iterable[str], delimiter: str, quote: str
) -> Iterator[tuple[int, list[str]]]:
    """Split lines into rows of cells, each with the number of its last line, from 1.

    Raises:
        csv.Error: a cell is longer than 128 KB: most likely its quote is never closed.
    """
    reader = csv.reader(
        lines, delimiter=delimiter, quotechar=quote, skipinitialspace=delimiter != " "
    )
    for row in reader:
        yield reader.line_num, row


def sample_rows(sample: str, delimiter: str, quote: str, *, complete: bool) -> list[list[str]]:
    """Return the first rows of a sample that are not blank, without one that is cut short."""
    rows = []
    try:
        for _, row in numbered_rows(io.StringIO(sample, newline=""), delimiter, quote):
            if not is_blank(row):
                rows.append(row)
            if len(rows) == SAMPLE_ROWS:
                return rows
    except csv.Error:
        return rows
    return rows if complete else rows[:-1]


def is_blank(row: Sequence[str]) -> bool:
    """Return whether a row is an empty line, or one of blanks only."""
    return not row or (len(row) == 1 and not row[0].strip(BLANKS + "\x1a"))


def is_blank_line(row: str, delimiter: str) -> bool:
    """Return whether a row with too few or too many cells is a line of blanks, which is no row."""
    return not row.strip(BLANKS + "\x1a") and delimiter not in row


def open_quote() -> DataError:
    """Return the error for a text whose last row has no end."""
    return DataError(OPEN_QUOTE, hint="double the quotes inside a quoted cell")
