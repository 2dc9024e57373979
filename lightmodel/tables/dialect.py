"""How a CSV file is written: delimiter, quotes and decimal mark, found out from its beginning."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lightmodel.config import DataSection
from lightmodel.errors import ConfigError

Rows = Sequence[Sequence[str]]

# Where several split the sample equally well, the first is meant: the later ones also stand
# inside cells (decimal commas, words).
_CANDIDATES = ("\t", ";", "|", ",")
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_SAMPLE_ROWS = 1_000
_NEAR = 0.02
_POOR = 0.5
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


@dataclass(frozen=True)
class Dialect:
    """How cells stand apart.

    Attributes:
        delimiter: one ASCII character.
        quote: '"', or "'" where texts are quoted by that.
        loose: blanks around delimiters must be taken away before quotes can be understood; for
            the delimiter " " any number of blanks is one delimiter.
    """

    delimiter: str
    quote: str = '"'
    loose: bool = False


def find_dialect(sample: str, options: DataSection, *, complete: bool) -> Dialect:
    """Find out the dialect of a text from its beginning, as far as `options` leave it open.

    Args:
        sample: the beginning.
        options: `delimiter` counts here, and how many `columns` there are if they are named.
        complete: whether the sample is the whole text, rather than cut somewhere in a line.

    Raises:
        ConfigError: `options.delimiter` is no single ASCII character.
    """
    quote = _quote(sample)
    delimiter = given_delimiter(options.delimiter)
    if not delimiter:
        delimiter = _delimiter(_Sample(sample, quote, complete, len(options.columns)))
    if delimiter == " ":
        return Dialect(" ", quote, loose=True)
    rows = sample_rows(sample, Dialect(delimiter, quote), complete=complete)
    loose = any(_is_quoted_after_blanks(cell, quote) for row in rows for cell in row)
    return Dialect(delimiter, quote, loose)


def given_delimiter(name: str) -> str:
    """Give the delimiter that the configuration names; "" when it is to be found out.

    Raises:
        ConfigError: it is no single ASCII character, nor one that cells are made of.
    """
    if name == "auto":
        return ""
    delimiter = _NAMES.get(name, name)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in "\"'\r\n\0":
        raise ConfigError(
            f"data.delimiter: {name!r} is no delimiter",
            hint="it is auto, one ASCII character, or one of tab, comma, semicolon, pipe, space",
        )
    return delimiter


def numbered_rows(lines: Iterable[str], dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Split lines into rows of cells, each with the number of its last line, from 1.

    Raises:
        csv.Error: a cell is longer than 128 KB: most likely its quote is never closed.
    """
    reader = csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote)
    for row in reader:
        yield reader.line_num, row


def sample_rows(sample: str, dialect: Dialect, *, complete: bool) -> list[list[str]]:
    """Give the first rows of a sample that are not blank, without one that is cut short."""
    rows = []
    try:
        for _, row in numbered_rows(io.StringIO(sample, newline=""), dialect):
            if not is_blank(row):
                rows.append(row)
            if len(rows) == _SAMPLE_ROWS:
                return rows
    except csv.Error:
        return rows
    return rows if complete else rows[:-1]


def is_blank(row: Sequence[str]) -> bool:
    """Say whether a row is an empty line, or one of blanks only."""
    return not row or (len(row) == 1 and not row[0].strip(" \t\x1a"))


def common_width(rows: Rows) -> int:
    """Give the number of cells that most rows have; 0 for no rows."""
    counts = Counter(len(row) for row in rows)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def find_decimal(rows: Rows, dialect: Dialect, given: str) -> str:
    """Find out the decimal mark from data rows; "" when there is none yet and both may come."""
    if given != "auto":
        return given
    cells = [cell.strip() for row in rows for cell in row]
    points = sum(1 for cell in cells if _POINT_NUMBER.fullmatch(cell))
    commas = [cell for cell in cells if "," in cell and _COMMA_NUMBER.fullmatch(cell)]
    if dialect.delimiter != ";":  # a comma may part thousands there
        if all(_THOUSANDS.fullmatch(cell) for cell in commas):
            commas = []
        return "," if len(commas) > points else "."
    if not commas and not points:
        return ""
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
        return sample_rows(self.text, Dialect(delimiter, self.quote), complete=self.complete)


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
    """Give the share of rows with the common number of cells, 0 if that is one.

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
    """Say whether runs of blanks split every line into equally many cells, and more than `least`."""
    lines = sample.text.splitlines()[: _SAMPLE_ROWS + 1]
    if not sample.complete and len(lines) <= _SAMPLE_ROWS:
        lines = lines[:-1]
    bare = (re.sub(f"{sample.quote}[^{sample.quote}]*{sample.quote}", "q", line) for line in lines)
    widths = {len(line.split()) for line in bare} - {0}
    return len(widths) == 1 and max(widths) > least and sample.columns in {0, *widths}


def _is_quoted_after_blanks(cell: str, quote: str) -> bool:
    return cell[:1] in " \t" and cell.lstrip(" \t").startswith(quote)
