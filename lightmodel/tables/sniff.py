"""How a table of text is written, from its beginning: delimiter, quote, decimal mark and header."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lightmodel.config import DataSection
from lightmodel.contract.cells import name_of
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError
from lightmodel.tables.row_readers import SAMPLE_ROWS, sample_rows

Rows = Sequence[Sequence[str]]

_log = logging.getLogger(__name__)

# Where several split the sample equally well, the first is meant: the later ones also stand
# inside cells (decimal commas, words).
_CANDIDATES = ("\t", ";", "|", ",")
_NEAR = 0.02
_POOR = 0.5
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
_COUNTING = (["0", "1"], ["1", "2"], ["1"])
_VOTERS = 200
_NO_NAMES = 'name the columns with data.columns, or set data.header = "yes" if these are names'


def find_marks(sample: str, given: Dialect, *, complete: bool) -> tuple[str, str]:
    """Infer the delimiter and the quote of a text.

    Args:
        sample: the beginning.
        given: its `delimiter` holds if it has one, and as many `columns` as are named.
        complete: whether the sample is the whole text, rather than cut somewhere in a line.
    """
    quote = _quote(sample)
    columns = len(given.columns)
    return given.delimiter or _delimiter(_Sample(sample, quote, complete, columns)), quote


def common_width(rows: Rows) -> int:
    """Return the number of cells that most rows have; 0 for no rows."""
    counts = Counter(len(row) for row in rows)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def find_decimal(rows: Rows, delimiter: str) -> str:
    """Infer the decimal mark from data rows; "" when there is none yet and both may come."""
    cells = [cell.strip() for row in rows for cell in row]
    points = sum(1 for cell in cells if _POINT_NUMBER.fullmatch(cell))
    commas = [cell for cell in cells if "," in cell and _COMMA_NUMBER.fullmatch(cell)]
    if delimiter == ";" and not commas and not points:
        return ""
    if delimiter != ";" and all(map(_THOUSANDS.fullmatch, commas)):  # a comma may part thousands
        commas = []
    return "," if len(commas) > points else "."


def _quote(sample: str) -> str:
    """Take "'" for a quote only where nothing is quoted by '"' and every such cell ends with one."""
    if '"' in sample or "'" not in sample:
        return '"'
    opened = len(re.findall(r"(?:^|[,;|\t])[ ]*'", sample, re.MULTILINE))
    closed = len(re.findall(r"'[ ]*(?=[,;|\t\r]|$)", sample, re.MULTILINE))
    return "'" if opened > 1 and opened == closed else '"'


@dataclass(frozen=True)
class _Sample:
    """What there is to find out the delimiter from; `columns` is 0 when they are not known."""

    text: str
    quote: str
    complete: bool
    columns: int

    def rows(self, delimiter: str) -> Rows:
        """Split the text by a candidate."""
        return sample_rows(self.text, delimiter, self.quote, complete=self.complete)


def _delimiter(sample: _Sample) -> str:
    """Choose the candidate that splits most rows into equally many cells, and at least two."""
    split = {mark: sample.rows(mark) for mark in _CANDIDATES}
    scores = {mark: _score(rows, sample.columns) for mark, rows in split.items()}
    best = max(scores.values())
    chosen = next(mark for mark in _CANDIDATES if scores[mark] >= best - _NEAR)
    aligned = any("  " in cell.strip() for row in split["\t"] for cell in row)
    doubtful = best < _POOR or (chosen == "\t" and (scores["\t"] < 1 or aligned))
    if doubtful and _blanks_split_all(sample, common_width(split[chosen]) if best else 1):
        return " "
    return chosen if best else ","


def _score(rows: Rows, columns: int) -> float:
    """Return the share of rows with the common number of cells, 0 if that is one.

    Half of it where the first row, which mostly holds the names, is split differently by more than
    one delimiter at its end, or where the number of columns is known to be another.
    """
    width = common_width(rows)
    if width < 2:
        return 0.0
    share = sum(1 for row in rows if len(row) == width) / len(rows)
    fits = len(rows[0]) > 1 and abs(len(rows[0]) - width) <= 1 and columns in {0, width}
    return share if fits else share / 2


def _blanks_split_all(sample: _Sample, least: int) -> bool:
    """Return whether runs of blanks split every line into equally many cells, and more than `least`."""
    lines = sample.text.splitlines()[: SAMPLE_ROWS + 1]
    if not sample.complete and len(lines) <= SAMPLE_ROWS:
        lines = lines[:-1]
    bare = (re.sub(f"{sample.quote}[^{sample.quote}]*{sample.quote}", "q", line) for line in lines)
    widths = {len(line.split()) for line in bare} - {0}
    return len(widths) == 1 and max(widths) > least and sample.columns in {0, *widths}


@dataclass(frozen=True)
class Header:
    """Names of a row's cells, "" for one without, and whether they stand in the first row.

    Attributes:
        replaced: the names in the first row, where the configuration gives others.
    """

    names: tuple[str, ...]
    in_file: bool
    replaced: tuple[str, ...] = ()


def find_header(rows: Rows, options: DataSection, name: str) -> Header:
    """Infer the names of a table's columns.

    Args:
        rows: the first ones that are not blank, at least one.
        options: `columns`, `header` and `missing` count here.
        name: of the file, for messages.

    Raises:
        DataError: there are no names, or not as many as columns.
    """
    first = tuple(name_of(cell) for cell in rows[0])
    in_file = options.header == "yes" or (options.header == "auto" and _is_names(rows, options))
    if options.columns:
        width = common_width(rows)
        if len(options.columns) != width:
            raise DataError(
                f"{name} has {width} columns, and data.columns names {len(options.columns)}"
            )
        if in_file and first != options.columns:
            _log.warning("%s: its first line holds names; data.columns replaces them", name)
        return Header(options.columns, in_file, first if in_file else ())
    if in_file:
        return Header(fitted(first, rows[1:]), in_file=True)
    what = "the first line looks like data" if options.header == "auto" else "there is no header"
    raise DataError(f"{name}: {what}, and its {len(first)} columns have no names", hint=_NO_NAMES)


def is_number(cell: str) -> bool:
    """Return whether a cell looks like a number, with either decimal mark."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def _is_names(rows: Rows, options: DataSection) -> bool:
    """Return whether the first row holds names, by the votes of the columns."""
    first = [cell.strip() for cell in rows[0]]
    if options.columns and [name.casefold() for name in first] == [
        name.casefold() for name in options.columns
    ]:
        return True
    missing = {"", *options.na_values}
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
    """Return what a cell looks like, above others: a name above numbers, or one more datum."""
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


def fitted(names: tuple[str, ...], rows: Rows) -> tuple[str, ...]:
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
