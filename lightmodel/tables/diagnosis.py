"""Why a CSV file could not be read: the lines at fault, found in a second, slower pass."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from lightmodel.errors import SHOWN_ROWS, DataError
from lightmodel.tables.dialect import Dialect, is_blank, numbered_rows
from lightmodel.tables.text import Text

_NAMED = {"\t": "a tab", " ": "blanks"}
_ENDLESS = 1_000  # lines of one cell


@dataclass(frozen=True)
class _Ragged:
    """Lines with a wrong number of cells: the first few with what they hold, and how many."""

    shown: tuple[tuple[int, int], ...]
    total: int


def explain(text: Text, dialect: Dialect, width: int) -> DataError:
    """Find out which lines of a CSV do not have `width` cells; lines count from 1."""
    quotes = "is a quote opened there and never closed? Write a quote inside a quoted cell twice"
    try:
        found = _ragged(text, dialect, width)
    except _EndlessCell as endless:
        return DataError(
            f"{text.name}: the row that begins in line {endless.line:,} goes on for more than "
            f"{_ENDLESS:,} lines or 128 KB in one cell",
            hint=quotes,
        )
    if not found.total:
        return DataError(f"{text.name} cannot be read as CSV", hint="is it damaged or cut short?")
    lines = ", ".join(f"line {line:,} has {cells}" for line, cells in found.shown)
    more = ", …" if found.total > len(found.shown) else ""
    delimiter = _NAMED.get(dialect.delimiter, repr(dialect.delimiter))
    return DataError(
        f"{text.name}: {found.total:,} line{'s do' if found.total > 1 else ' does'} not have "
        f"{width} cell{'s' if width > 1 else ''}: {lines}{more}",
        hint=f"cells were taken to be parted by {delimiter} (data.delimiter sets it); "
        "a cell that holds the delimiter needs quotes",
    )


class _EndlessCell(Exception):
    """A cell goes on for longer than any cell should."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _ragged(text: Text, dialect: Dialect, width: int) -> _Ragged:
    shown: list[tuple[int, int]] = []
    total = 0
    for line, row in _numbered(text, dialect):
        if len(row) != width and not is_blank(row):
            total += 1
            if total <= SHOWN_ROWS:
                shown.append((line, len(row)))
    return _Ragged(tuple(shown), total)


def _numbered(text: Text, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Give each row with the number of its first line."""
    with text.open() as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
        before = 0
        try:
            for last, row in numbered_rows(lines, dialect):
                if last - before > _ENDLESS:
                    raise _EndlessCell(before + 1)
                yield before + 1, row
                before = last
        except csv.Error:
            raise _EndlessCell(before + 1) from None
