"""The first line of a CSV: names or data, and how many cells a row has."""

import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables.dialect import Dialect, Rows, common_width, is_blank, numbered_rows

_log = logging.getLogger(__name__)

_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
_COUNTING = (["0", "1"], ["1", "2"], ["1"])
_VOTERS = 200
_NO_NAMES = 'name the columns with data.columns, or set data.header = "yes" if these are names'


@dataclass(frozen=True)
class Header:
    """Names of a row's cells, "" for one without, and whether they stand in the first row."""

    names: tuple[str, ...]
    in_file: bool


def find_header(rows: Rows, options: DataSection, name: str) -> Header:
    """Find out the names of a table's columns.

    Args:
        rows: the first ones that are not blank, at least one.
        options: `columns`, `header` and `missing` count here.
        name: of the file, for messages.

    Raises:
        DataError: there are no names, or not as many as columns.
    """
    first = tuple(cell.strip() for cell in rows[0])
    in_file = options.header == "yes" or (options.header == "auto" and _is_names(rows, options))
    if options.columns:
        width = common_width(rows)
        if len(options.columns) != width:
            raise DataError(
                f"{name} has {width} columns, and data.columns names {len(options.columns)}"
            )
        if in_file and first != options.columns:
            _log.warning("%s: its first line holds names; data.columns replaces them", name)
        return Header(options.columns, in_file)
    if in_file:
        return Header(_fitted(first, rows[1:]), in_file=True)
    what = "the first line looks like data" if options.header == "auto" else "there is no header"
    raise DataError(f"{name}: {what}, and its {len(first)} columns have no names", hint=_NO_NAMES)


def data_start(sample: str, dialect: Dialect) -> int:
    """Give the place in the sample behind its first row that is not blank, of which there is one."""
    lines = io.StringIO(sample, newline="").readlines()
    rows = numbered_rows(lines, dialect)
    last = next(number for number, row in rows if not is_blank(row))
    return sum(len(line) for line in lines[:last])


def is_number(cell: str) -> bool:
    """Say whether a cell looks like a number, with either decimal mark."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def _is_names(rows: Rows, options: DataSection) -> bool:
    """Say whether the first row holds names, by the votes of the columns."""
    first = [cell.strip() for cell in rows[0]]
    if options.columns and [name.casefold() for name in first] == [
        name.casefold() for name in options.columns
    ]:
        return True
    missing = {"", *options.missing}
    names = data = repeats = 0
    for at, cell in enumerate(first):
        below = [row[at].strip() for row in rows[1:_VOTERS] if at < len(row)]
        if cell in missing:
            continue
        vote = _vote(cell, [value for value in below if value not in missing])
        names += vote == "name"
        data += vote == "datum"
        repeats += cell in below
    if names or data:
        return names >= data
    return not options.columns and repeats < max(1, len(first) / 2)


def _vote(cell: str, below: Sequence[str]) -> str:
    """Say what a cell looks like, above others: a name above numbers, or one more datum."""
    kind = _kind(cell)
    if not below:
        return "" if kind == "text" else "datum"
    numbers = sum(1 for value in below if _kind(value) != "text")
    if numbers < 0.5 * len(below):
        return ""
    return "name" if kind == "text" else "datum" if kind == _kind(below[0]) else ""


def _kind(cell: str) -> str:
    if is_number(cell):
        return "number"
    if _DATE.fullmatch(cell):
        return "time"
    return "word" if cell.lower() in {"true", "false"} else "text"


def _fitted(names: tuple[str, ...], rows: Rows) -> tuple[str, ...]:
    """Bring the header to the width of the rows where a delimiter too many or too few explains it."""
    width = common_width(rows)
    if width and len(names) == width + 1 and not names[-1]:
        return names[:-1]
    if width and len(names) == width - 1:
        full = [row for row in rows if len(row) == width]
        if not any(row[-1].strip() for row in full):
            return (*names, "")
        if [row[0] for row in full[:2]] in _COUNTING:
            return ("", *names)  # R leaves the row numbers without a name
    return names
