"""Detect the dialect of a text table from its beginning: delimiter, quote, decimal mark and header."""

import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lightmodel.config import DataSection
from lightmodel.contract.cells import WHITESPACE, normalize_name
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError

Rows = Sequence[Sequence[str]]

_log = logging.getLogger(__name__)
SAMPLE_ROWS = 1_000

# If several split the sample equally well, the first is chosen: the later ones also occur
# inside cells (decimal commas, words).
CANDIDATES = ("\t", ";", "|", ",")
_TIE_MARGIN = 0.02
_DOUBTFUL_SCORE = 0.5
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,.])\d{3}(\1\d{3})*")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
_ROW_NUMBERS = (["0", "1"], ["1", "2"], ["1"])
_VOTING_ROWS = 200
_HINT = 'name the columns with data.columns, or set data.header = "yes" if these are names'


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
    """Return the first non-blank rows of a sample, without a truncated last one."""
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
    """Return whether a row is an empty line, or one of whitespace only."""
    return not row or (len(row) == 1 and not row[0].strip(WHITESPACE + "\x1a"))


def detect_delimiter_and_quote(sample: str, given: Dialect, *, complete: bool) -> tuple[str, str]:
    """Detect the delimiter and the quote of a text.

    Args:
        sample: the beginning of the text.
        given: the configured dialect; its `delimiter`, if set, is final, and so is the count of `columns`.
        complete: whether the sample is the whole text, rather than truncated within a line.
    """
    quote = _detect_quote(sample)
    columns = len(given.columns)
    return given.delimiter or _detect_delimiter(_Sample(sample, quote, complete, columns)), quote


def common_width(rows: Rows) -> int:
    """Return the number of cells that most rows have; 0 for no rows."""
    counts = Counter(len(row) for row in rows)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def detect_decimal(rows: Rows, delimiter: str) -> str:
    """Detect the decimal mark in data rows; return "" if none occurs and either is possible.

    Numbers that may have groups of three digits, such as 1,234, count only where there are no others.
    """
    cells = [cell.strip() for row in rows for cell in row]
    points = [cell for cell in cells if "." in cell and _POINT_NUMBER.fullmatch(cell)]
    commas = [cell for cell in cells if "," in cell and _COMMA_NUMBER.fullmatch(cell)]
    if commas and (sure := (_not_in_groups(points), _not_in_groups(commas))) != (0, 0):
        return "," if sure[1] > sure[0] else "."
    if delimiter == ";" and not commas and not points:
        return ""
    return "," if delimiter == ";" and len(commas) > len(points) else "."


def may_be_grouped(rows: Rows) -> bool:
    """Return whether no number of the data rows shows which mark is the decimal one."""
    cells = (cell.strip() for row in rows for cell in row if "." in cell or "," in cell)
    numbers = (one for one in cells if _POINT_NUMBER.fullmatch(one) or _COMMA_NUMBER.fullmatch(one))
    return all(map(_THOUSANDS.fullmatch, numbers))


def _not_in_groups(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if not _THOUSANDS.fullmatch(cell))


def _detect_quote(sample: str) -> str:
    """Return "'" if no '"' occurs and every cell that begins with "'" also ends with it, else '"'."""
    if '"' in sample or "'" not in sample:
        return '"'
    opened = len(re.findall(r"(?:^|[,;|\t])[ ]*'", sample, re.MULTILINE))
    closed = len(re.findall(r"'[ ]*(?=[,;|\t\r]|$)", sample, re.MULTILINE))
    return "'" if opened > 1 and opened == closed else '"'


@dataclass(frozen=True)
class _Sample:
    """The input of delimiter detection; `columns` is their known count, else 0."""

    text: str
    quote: str
    complete: bool
    columns: int

    def rows(self, delimiter: str) -> Rows:
        """Return the rows of cells under a candidate delimiter."""
        return sample_rows(self.text, delimiter, self.quote, complete=self.complete)


def _detect_delimiter(sample: _Sample) -> str:
    """Choose the delimiter that splits most rows into the same count of cells, at least two."""
    split = {mark: sample.rows(mark) for mark in CANDIDATES}
    scores = {mark: _score(rows, sample.columns) for mark, rows in split.items()}
    best = max(scores.values())
    chosen = next(mark for mark in CANDIDATES if scores[mark] >= best - _TIE_MARGIN)
    aligned = any("  " in cell.strip() for row in split["\t"] for cell in row)
    doubtful = best < _DOUBTFUL_SCORE or (chosen == "\t" and (scores["\t"] < 1 or aligned))
    if doubtful and _blanks_split_all(sample, common_width(split[chosen]) if best else 1):
        return " "
    return chosen if best else ","


def _score(rows: Rows, columns: int) -> float:
    """Return the share of rows with the most common count of cells, or 0 if that count is 1.

    The share is halved if the first row, mostly the header, differs by more than one cell, or if
    the columns are known to be of another count.
    """
    width = common_width(rows)
    if width < 2:
        return 0.0
    share = sum(1 for row in rows if len(row) == width) / len(rows)
    fits = len(rows[0]) > 1 and abs(len(rows[0]) - width) <= 1 and columns in {0, width}
    return share if fits else share / 2


def _blanks_split_all(sample: _Sample, least: int) -> bool:
    """Return whether runs of blanks split every line into one count of cells, above `least`."""
    lines = sample.text.splitlines()[: SAMPLE_ROWS + 1]
    if not sample.complete and len(lines) <= SAMPLE_ROWS:
        lines = lines[:-1]
    bare = (re.sub(f"{sample.quote}[^{sample.quote}]*{sample.quote}", "q", line) for line in lines)
    widths = {len(line.split()) for line in bare} - {0}
    return len(widths) == 1 and max(widths) > least and sample.columns in {0, *widths}


@dataclass(frozen=True)
class Header:
    """Column names, "" for an unnamed column, and whether the first row of the file holds them.

    Attributes:
        replaced: the names in the first row, if the configuration overrides them.
    """

    names: tuple[str, ...]
    in_file: bool
    replaced: tuple[str, ...] = ()


def detect_header(rows: Rows, options: DataSection, name: str) -> Header:
    """Detect the names of a table's columns.

    Args:
        rows: the first non-blank rows, at least one.
        options: uses `columns`, `header` and `missing_texts`.
        name: the file's name, for messages.

    Raises:
        DataError: there are no names, or not as many as columns.
    """
    first = tuple(normalize_name(cell) for cell in rows[0])
    in_file = options.header == "yes" or (options.header == "auto" and is_header(rows, options))
    if options.columns:
        width = common_width(rows)
        if len(options.columns) != width:
            raise DataError(
                f"{name} has {width} columns, and data.columns names {len(options.columns)}"
            )
        if in_file and first != options.columns:
            _log.warning("%s: data.columns replaces the names in the first line", name)
        return Header(options.columns, in_file, first if in_file else ())
    if in_file:
        return Header(fit_to_width(first, rows[1:]), in_file=True)
    what = "the first line looks like data" if options.header == "auto" else "there is no header"
    raise DataError(f"{name}: {what}, and its {len(first)} columns have no names", hint=_HINT)


def is_number(cell: str) -> bool:
    """Return whether a cell looks like a number, with either decimal mark."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_header(rows: Rows, options: DataSection) -> bool:
    """Return whether the first row is a header, by a vote of the columns."""
    if options.columns and [name.strip().casefold() for name in rows[0]] == [
        name.casefold() for name in options.columns
    ]:
        return True
    votes = header_votes(rows, options.missing_texts)
    if votes.names or votes.data:
        return votes.names >= votes.data
    return not options.columns and votes.repeats < max(1, len(rows[0]) / 2)


@dataclass(frozen=True)
class HeaderVotes:
    """How many cells of a first row look like a name, or like a datum, or occur again below."""

    names: int
    data: int
    repeats: int


def header_votes(rows: Rows, na_values: Sequence[str]) -> HeaderVotes:
    """Return the votes of the columns on whether the first row is a header."""
    missing = set(na_values)
    names = data = repeats = 0
    for at, cell in enumerate(cell.strip() for cell in rows[0]):
        below = [row[at].strip() for row in rows[1:_VOTING_ROWS] if at < len(row)]
        if cell in missing:
            continue
        vote = _vote(cell, [value for value in below if value not in missing])
        names += vote == "name"
        data += vote == "datum"
        repeats += cell in below
    return HeaderVotes(names, data, repeats)


def _vote(cell: str, below: Sequence[str]) -> str:
    """Return "name" for a first cell unlike the numbers `below`, "datum" for one like them, else ""."""
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


def fit_to_width(names: tuple[str, ...], rows: Rows) -> tuple[str, ...]:
    """Fit the header to the width of the rows if one delimiter too many or too few explains it."""
    width = common_width(rows)
    if width and len(names) == width + 1 and not names[-1]:
        return names[:-1]
    if width and len(names) == width - 1:
        full = [row for row in rows if len(row) == width]
        if not any(row[-1].strip() for row in full):
            return (*names, "")
        if [row[0] for row in full[:2]] in _ROW_NUMBERS:
            return ("", *names)  # R writes no name for its row numbers
    return names
