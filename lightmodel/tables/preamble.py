"""Find what a table has besides its header and its rows: title rows, Excel's `sep=` line, and units.

Only rows are skipped that would make the table unreadable: a first row that does not name all columns is
no header, and above one that does it is a title.
"""

import csv
import io
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lightmodel.config import DataSection
from lightmodel.contract.cells import normalize_name
from lightmodel.contract.columns import Dialect
from lightmodel.tables.sniff import (
    CANDIDATES,
    SAMPLE_ROWS,
    Rows,
    common_width,
    fit_to_width,
    header_votes,
    is_blank,
    is_header,
    is_number,
    numbered_rows,
)

_log = logging.getLogger(__name__)
MOST_TITLES = 50
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"? *(?:\r\n|\n|\r|\Z)', re.IGNORECASE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_LONGEST_UNIT = 20
_SHOWN = 8  # units in the log
_BRACKETED = re.compile(r"[\[(<].*[\])>]|-+")
_DATE_FORMAT = re.compile(r"(?i)(?=.*[-./:])(y{2,4}|m{1,3}|d{1,3}|h{1,2}|s{1,2}|[-./:, T])+")
_WORD = re.compile(r"[^\W\d_]+|[°%‰€$£¥Ω]+")
_UNIT = re.compile(  # "number" and the like are the types that some programs write there
    "[cmknuµμ]?m|in|inch|inches|ft|feet|yd|mi|miles?|[kmuµμ]?g|t|lbs?|oz|tons?|m?s|secs?|min|mins|minutes|"
    "hr?|hrs|hours?|d|days?|weeks?|months?|yr|years?|[mdc]?[lL]|gal|°?[KCF]|°|deg|deg[CF]|degrees?|"
    "[cC]elsius|[fF]ahrenheit|[hkM]?Pa|m?bar|psi|atm|mmHg|Hg|k?N|[kM]?J|k?cal|[kM]?Wh?|[mk]?V|m?Ah?|"
    "[kMG]?Hz|Ω|ohm|lx|lm|dB|m?mol|pp[mb]|pH|rpm|kmh|mph|kn|knots|ha|acres?|sqft|sqm|[%‰€$£¥]|percent|pct|"
    "USD|EUR|GBP|CHF|JPY|counts?|pcs|units|number|text|string|date|datetime|time|UTC|category|int|integer|"
    "float"
)


@dataclass(frozen=True)
class Preamble:
    """What stands above the header.

    Attributes:
        lines: their number.
        length: the characters of these lines.
        delimiter: of the rows below; "" if it is unknown.
    """

    lines: int = 0
    length: int = 0
    delimiter: str = ""

    def followed_by(self, other: "Preamble") -> "Preamble":
        """Return this one and what follows it."""
        return Preamble(
            self.lines + other.lines, self.length + other.length, other.delimiter or self.delimiter
        )


def separator_line(text: str) -> Preamble:
    """Return the line `sep=;` by which Excel is told the delimiter, if a text begins with one."""
    found = _SEPARATOR_LINE.match(text)
    return Preamble(1, found.end(), found[1]) if found else Preamble()


def configured_preamble(text: str, options: DataSection) -> Preamble:
    """Return what data.skip_rows skips of a text; "auto" is a `sep=` line, or nothing yet."""
    separator = separator_line(text)
    if options.skip_rows == "auto":
        return separator
    length = 0
    for _ in range(options.skip_rows):
        found = _LINE.match(text, length)
        length = found.end() if found else length
    return Preamble(options.skip_rows, length, separator.delimiter if options.skip_rows else "")


def detect_titles(text: str, given: Dialect, options: DataSection, *, complete: bool) -> Preamble:
    """Return the titles above the header of a text, whose rows are all of one width below them.

    Args:
        text: the beginning of the text, below a `sep=` line.
        given: the known delimiter and quote; without a delimiter, several are tried.
        options: uses `columns`, `header` and `na_values`.
        complete: whether it is the whole text.
    """
    for mark in [given.delimiter] if given.delimiter else CANDIDATES:
        rows = _rows(text, mark, given.quote, complete=complete)
        cells = [row for _, row in rows]
        titles = count_titles(cells, options)
        if titles and _are_even(cells[titles:]):
            lines = rows[titles - 1][0]
            return Preamble(lines, sum(map(len, _first_lines(text, lines))), mark)
    return Preamble()


def _rows(text: str, delimiter: str, quote: str, *, complete: bool) -> list[tuple[int, list[str]]]:
    rows = []
    try:
        for line, row in numbered_rows(io.StringIO(text, newline=""), delimiter, quote):
            if not is_blank(row):
                rows.append((line, row))
            if len(rows) == SAMPLE_ROWS:
                return rows
    except csv.Error:
        return rows
    return rows if complete else rows[:-1]


def _first_lines(text: str, count: int) -> Iterator[str]:
    start = 0
    for _ in range(count):
        found = _LINE.match(text, start)
        if found:
            yield found[0]
            start = found.end()


def _are_even(rows: Rows) -> bool:
    """Return whether all rows have as many cells, the header perhaps one more or fewer."""
    width = common_width(rows)
    return all(len(row) == width for row in rows[1:]) and abs(len(rows[0]) - width) <= 1


def needs_titles(rows: Rows) -> bool:
    """Return whether rows cannot be read as a table whose first row is the header."""
    return bool(rows) and not (_are_even(rows) and may_be_header(rows, common_width(rows)))


def count_titles(rows: Rows, options: DataSection) -> int:
    """Return how many rows stand above the header; 0 if the first row is it, or none is.

    Args:
        rows: the first rows that are not blank.
        options: uses `columns`, `header` and `na_values`.
    """
    starts = range(min(len(rows), MOST_TITLES + 1))
    at = next((at for at in starts if may_be_header(rows[at:], common_width(rows))), 0)
    return at if are_titles(rows[:at], rows[at:], options) else 0


def are_titles(above: Rows, below: Rows, options: DataSection) -> bool:
    """Return whether rows above one that may be a header are titles.

    Args:
        above: the rows that cannot be the header; the first cell of a title is filled.
        below: the possible header and the rows below it.
        options: as above.
    """
    width = common_width(below)
    titles = list(filter(any, above))
    if options.header == "no" or width < 2 or not above or len(below) < 2:
        return False
    if titles and not titles[0][0].strip():
        return False
    if options.header == "yes":
        return True
    votes = header_votes(below, options.missing_texts)
    is_certain = votes.names > votes.data or not titles or _is_prose(titles[0], width)
    return is_certain and is_header(below, options)


def _is_prose(row: Sequence[str], width: int) -> bool:
    """Return whether a title cannot be the name of a first column whose neighbours have none."""
    return len(row) < width - 1 or (is_sparse(row, width) and " " in row[0].strip())


def is_sparse(row: Sequence[str], width: int) -> bool:
    """Return whether at most half of the cells are filled, and none beyond the width."""
    return 2 * sum(1 for cell in row if cell.strip()) <= width and len(row) <= width


def may_be_header(rows: Rows, width: int) -> bool:
    """Return whether the first row names every column, perhaps but one of row numbers or without values."""
    names = fit_to_width(tuple(map(normalize_name, rows[0])), rows[1:])
    if len(names) != width or len({*names} - {""}) < len(names) - names.count(""):
        return False
    nameless = [at for at, name in enumerate(names) if at and not name]
    return not any(at < len(row) and row[at].strip() for at in nameless for row in rows[1:])


def report_titles(above: Preamble, options: DataSection, file: str) -> None:
    """Log how many lines are skipped, unless there is none or the configuration says so."""
    if above.lines and options.skip_rows == "auto":
        log_skipped(file, "line", above.lines)


def log_skipped(file: str, what: str, count: int) -> None:
    """Log that the first lines of a file, or rows of a sheet, stand above the header."""
    which = f"the first {what} is" if count == 1 else f"the first {count} {what}s are"
    _log.warning("%s: %s skipped as title (data.skip_rows sets how many)", file, which)


def units_below(
    names: Sequence[str], rows: Rows, options: DataSection, file: str
) -> tuple[str, ...]:
    """Return the row of units below a header, as `find_units` does, and log it."""
    if options.skip_rows == 0:
        return ()
    units = find_units(rows, options.missing_texts)
    if units:
        pairs = [f"{name} {unit}" for name, unit in zip(names, units, strict=False) if unit]
        more = ", …" if len(pairs) > _SHOWN else ""
        _log.warning(
            "%s: the row below the header holds units and is skipped: %s%s (data.skip_rows=0 keeps it)",
            file,
            ", ".join(pairs[:_SHOWN]),
            more,
        )
    return units


def are_units(cells: Sequence[str], units: Sequence[str], numbers: Iterable[int]) -> bool:
    """Return whether a row of a request is the row of units of the training table.

    Args:
        cells: of the row.
        units: the cells of that row.
        numbers: the positions of the columns of numbers, in one of which there must be a unit.
    """
    filled = {at for at, cell in enumerate(cells) if cell.strip()}
    known = {*units, ""}
    return not filled.isdisjoint(numbers) and all(cell.strip() in known for cell in cells)


def find_units(rows: Rows, na_values: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of the first row if they are units; () if they are a row like the others.

    Args:
        rows: those below the header.
        na_values: texts that mean a missing value.
    """
    if len(rows) < 3:
        return ()
    cells = tuple(cell.strip() for cell in rows[0])
    filled = [at for at, cell in enumerate(cells) if cell]
    if not filled or not all(_is_unit(cells[at]) for at in filled):
        return ()
    missing = {"", *na_values}
    below = [{row[at].strip() for row in rows[1:] if at < len(row)} for at in range(len(cells))]
    is_repeated = any(cells[at] in below[at] for at in filled)
    of_numbers = [at for at in filled if cells[at] != "-" and _are_numbers(below[at] - missing)]
    return cells if of_numbers and not is_repeated else ()


def _is_unit(cell: str) -> bool:
    if len(cell) > _LONGEST_UNIT or is_number(cell):
        return False
    if _BRACKETED.fullmatch(cell) or _DATE_FORMAT.fullmatch(cell):
        return True
    words = _WORD.findall(cell)
    return bool(words) and all(map(_UNIT.fullmatch, words))


def _are_numbers(cells: set[str]) -> bool:
    return bool(cells) and all(map(is_number, cells))
