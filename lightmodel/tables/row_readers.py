"""Rows of text: where they end, how they are split into cells, and the protocol of their readers.

A regular text has no whitespace between a delimiter and an opening quote, and a single blank between
cells that are delimited by blanks. Arrow reads it; `RowGrammar` describes and regularizes all others.
"""

import ctypes as c
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import chain
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import ASCII_WHITESPACE, WHITESPACE, Matrix
from lightmodel.errors import DataError

UNCLOSED_QUOTE = "a quote is never closed"
_SEPARATOR = "\x1f"
_MAX_HELD_BYTES = 8 << 20  # a longer row has an unclosed quote, and waiting for it costs memory
_UNICODE_WHITESPACE = (
    "\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
_LINE_START, _LINE_END = "(?:\\A|(?<=[\r\n]))", "(?=[\r\n]|\\Z)"


class CellKind(IntEnum):
    """How a RowReader parses a column."""

    IGNORED = 0
    NUMBER = 1
    BOOLEAN = 2
    TEXT = 3


@dataclass(frozen=True)
class Layout:
    """The dialect of a text of rows, and how its cells are to be parsed.

    Attributes:
        kinds: one byte for each cell of a row, its CellKind.
        places: the position of each cell among the numbers, or among the texts.
        width: the count of numbers in a row of the result.
        missing: texts that mean a missing value, besides an empty cell.
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
        """The count of texts in a row of the result."""
        return self.kinds.count(CellKind.TEXT)


@dataclass(frozen=True)
class RawRows:
    """Whole rows of a text, not yet validated against a contract.

    Attributes:
        numbers: (rows, width), row-major; columns that no cell fills are undefined.
        texts: for each TEXT column, the stripped text of each row; None in a ragged row.
        consumed: the count of bytes of these rows.
        ragged: the count of rows with too few or too many cells.
    """

    numbers: Matrix
    texts: tuple[list[str | None], ...]
    consumed: int
    ragged: int


class RowReader(Protocol):
    """Reads the whole rows at the beginning of a UTF-8 text.

    Blank lines are skipped. A row ends with LF, CR or CRLF, outside quotes; a quote within quotes is
    doubled. Cells are stripped. Whatever the text, only DataError is raised, and every reader
    returns the same bits for the same text.
    """

    def __call__(self, layout: Layout, text: bytes, *, final: bool) -> RawRows:
        """Read rows; `final` means that the text ends here, so that its last row is complete too.

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


class CompiledRowReader:
    """The RowReader in C; it releases the interpreter's lock while it reads."""

    def __init__(self, library: c.CDLL) -> None:
        self._read = library.read_rows

    def __call__(self, layout: Layout, text: bytes, *, final: bool) -> RawRows:
        """Read rows; see `RowReader`."""
        capacity = len(text) // len(layout.kinds) + 1  # of rows of the right number of cells
        numbers = np.empty((capacity, layout.width))
        spans = np.empty((capacity, layout.texts, 2), np.int64)
        outcome = _Outcome()
        unclosed = self._read(
            c.byref(_c_layout(layout)),
            c.c_char_p(text),
            c.c_int64(len(text)),
            c.c_int(final),
            c.c_void_p(numbers.ctypes.data),
            c.c_void_p(spans.ctypes.data),
            c.c_int64(capacity),
            c.byref(outcome),
        )
        if unclosed:
            raise unclosed_quote_error()
        texts = tuple(
            _texts(text, spans[: outcome.rows, at], layout.quote) for at in range(layout.texts)
        )
        return RawRows(numbers[: outcome.rows], texts, outcome.consumed, outcome.ragged)


@lru_cache(16)
def _c_layout(layout: Layout) -> _Layout:
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
    described.kept_alive = kinds, places  # the structure holds only their addresses
    return described


def _texts(text: bytes, spans: npt.NDArray[np.generic], quote: str) -> list[str | None]:
    return [
        text[start : start + length].decode()
        if length >= 0 <= start
        else _unquote(text, start, -length, quote)
        for start, length in spans.tolist()
    ]


def _unquote(text: bytes, start: int, length: int, quote: str) -> str | None:
    """Unquote a cell: a doubled quote means a single one, and the first other quote closes it."""
    if start < 0:
        return None
    cell = text[start : start + length].decode()
    closing = _closing_pattern(quote).match(cell)
    within = closing[1] if closing else cell
    return (within.replace(quote * 2, quote) + cell[len(within) + 1 :]).strip()


@lru_cache(16)
def _closing_pattern(quote: str) -> re.Pattern[str]:
    mark = re.escape(quote)
    return re.compile(f"((?:[^{mark}]|{mark}{mark})*+){mark}")


class RowGrammar:
    """The grammar of rows for one delimiter and one quote.

    Args:
        delimiter: the character between two cells.
        quote: the character around a quoted cell.
        single: whether a row has one cell only; then blank lines are removed here, which otherwise
            Arrow reports as invalid rows.
        runs: whether a run of blanks is one delimiter; `delimiter` is " " then.
    """

    def __init__(
        self, delimiter: str, quote: str, *, single: bool = False, runs: bool = False
    ) -> None:
        within = ASCII_WHITESPACE.translate(dict.fromkeys(map(ord, f"\r\n{delimiter}")))
        blank = f"(?:[{within}]|{_UNICODE_WHITESPACE})"
        mark, part = re.escape(quote), re.escape(delimiter)
        quoted = f"{mark}(?:[^{mark}]++|{mark}{mark})*+{mark}"
        # Text behind a quoted cell of several lines: an unclosed quote has swallowed rows.
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
        # a quote after what may be the last byte of whitespace; matching the quote first is faster
        self._late_quote = _compiled(f"{mark}(?<=[{within}\x80-\xaf]{mark})")

    def end_of_rows(self, text: bytes) -> int:
        """Return the end of the last complete row, given that more text may follow."""
        if self._quote in text:
            return self._rows.match(text).end()  # type: ignore[union-attr]
        return max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1

    def first_row(self, text: bytes, start: int = 0) -> tuple[int, int]:
        """Return start and end of the first row from `start` on that is not a blank line."""
        blank = self._blank_lines.match(text, start)
        start = blank.end() if blank else start
        end = text.find(b"\n", start) + 1
        if end and self._quote not in text[start:end] and b"\r" not in text[start : end - 2]:
            return start, end  # the fast path for nearly all lines
        row = self._row.match(text, start)
        return start, row.end() if row else len(text)

    def regularize(self, rows: bytes) -> bytes:
        """Return complete rows as regular text."""
        if not self._always and not (self._quote in rows and self._late_quote.search(rows)):
            return rows
        return self._odd.sub(_replacement, rows)

    def regularize_chunks(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a text as regular text.

        Raises:
            DataError: a quote is never closed.
        """
        held = b""
        for chunk in chain(chunks, [b""]):
            text = held + chunk
            cut = self.end_of_rows(text if chunk else text + b"\n")
            if len(text) - cut > (_MAX_HELD_BYTES if chunk else 0):
                raise unclosed_quote_error()
            held = text[cut:]
            if cut:
                yield self.regularize(text[:cut])


def _replacement(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return match[1]
    return b" " if match.lastindex == 2 else b""


def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode("latin-1"))


@lru_cache(64)
def grammar_of(
    delimiter: str, quote: str, *, single: bool = False, one_blank: bool = False
) -> RowGrammar:
    """Return a cached grammar; a run of blanks delimits cells, or a single one with `one_blank`."""
    return RowGrammar(delimiter, quote, single=single, runs=delimiter == " " and not one_blank)


def layout_grammar(layout: Layout) -> RowGrammar:
    """Return the grammar of regular rows of a layout."""
    single = len(layout.kinds) == 1
    return grammar_of(layout.delimiter, layout.quote, single=single, one_blank=True)


def is_blank_line(row: str, delimiter: str) -> bool:
    """Return whether a ragged row is only a blank line, which is skipped."""
    return not row.strip(WHITESPACE + "\x1a") and delimiter not in row


def unclosed_quote_error() -> DataError:
    """Return the error for a text whose last quote is never closed."""
    return DataError(UNCLOSED_QUOTE, hint="double the quotes inside a quoted cell")
