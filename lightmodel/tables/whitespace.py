"""The rows of a CSV text in regular expressions: where they end, and how to make them regular.

A regular text has no blanks between a delimiter and an opening quote, and just one between two cells
that are parted by blanks. Arrow reads it, and otherwise parts cells as is described here.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from lightmodel.contract.cells import ASCII_BLANKS, OPEN_QUOTE
from lightmodel.errors import DataError

_MOST_HELD = 8 << 20  # beyond, some quote is never closed, and waiting for its end costs memory
_LONG_BLANKS = (
    "\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)
_LINE_START, _LINE_END = "(?:\\A|(?<=[\r\n]))", "(?=[\r\n]|\\Z)"


class Rows:
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
                raise DataError(OPEN_QUOTE, hint="double the quotes inside a quoted cell")
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
def rows_of(delimiter: str, quote: str, *, single: bool = False) -> Rows:
    """Return the grammar of a text; cells that blanks part may be parted by any number of them."""
    return Rows(delimiter, quote, single=single, runs=delimiter == " ")


@lru_cache(64)
def regular_rows_of(delimiter: str, quote: str, *, single: bool) -> Rows:
    """Return the grammar of a text in which a blank parts cells as any delimiter does."""
    return Rows(delimiter, quote, single=single)
