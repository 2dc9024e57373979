"""How a CSV is written: delimiter, quotes and decimal mark, found out from its beginning, or known."""

import csv
import io
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from lightmodel.config import DataSection
from lightmodel.contract.cells import BLANKS
from lightmodel.contract.columns import Contract, Dialect
from lightmodel.errors import ConfigError

Rows = Sequence[Sequence[str]]

# Where several split the sample equally well, the first is meant: the later ones also stand
# inside cells (decimal commas, words).
_CANDIDATES = ("\t", ";", "|", ",")
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_IN_CELLS = "\"'\r\n\0+-." + string.ascii_letters + string.digits
_SAMPLE_ROWS = 1_000
_NEAR = 0.02
_POOR = 0.5
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


def find_marks(sample: str, options: DataSection, *, complete: bool) -> tuple[str, str]:
    """Infer the delimiter and the quote of a text, as far as `options` leave them open.

    Args:
        sample: the beginning.
        options: `delimiter` counts here, and how many `columns` there are if they are named.
        complete: whether the sample is the whole text, rather than cut somewhere in a line.

    Raises:
        ConfigError: `options.delimiter` is no single ASCII character.
    """
    quote = _quote(sample)
    delimiter = given_delimiter(options.delimiter)
    return delimiter or _delimiter(_Sample(sample, quote, complete, len(options.columns))), quote


def given_dialect(options: DataSection) -> Dialect:
    """Return what the configuration says of a text; "" is to be found out.

    Raises:
        ConfigError: `options.delimiter` is no single ASCII character.
    """
    return Dialect(
        delimiter=given_delimiter(options.delimiter),
        decimal=options.decimal.replace("auto", ""),
        encoding=options.encoding.replace("auto", "utf-8"),
        columns=options.columns,
        na_values=("", *options.missing),
    )


def dialect_for(contract: Contract, options: DataSection) -> Dialect:
    """Return what rows of a model are read by: its contract's dialect.

    Where that is not known, for the training table was no CSV or the model is an old one, the
    configuration decides.
    """
    kept, given = contract.dialect, given_dialect(options)
    if kept is None:
        return given
    if not kept.delimiter:
        return replace(given, na_values=kept.na_values)
    return replace(kept, decimal=kept.decimal or given.decimal)


def given_delimiter(name: str) -> str:
    """Return the delimiter that the configuration names; "" when it is to be found out.

    Raises:
        ConfigError: it is no single ASCII character, nor one that cells are made of.
    """
    if name == "auto":
        return ""
    delimiter = _NAMES.get(name, name)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in _IN_CELLS:
        raise ConfigError(
            f"data.delimiter: {name!r} is no delimiter",
            hint="it is auto, one ASCII character, or one of tab, comma, semicolon, pipe, space",
        )
    return delimiter


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
            if len(rows) == _SAMPLE_ROWS:
                return rows
    except csv.Error:
        return rows
    return rows if complete else rows[:-1]


def is_blank(row: Sequence[str]) -> bool:
    """Return whether a row is an empty line, or one of blanks only."""
    return not row or (len(row) == 1 and not row[0].strip(BLANKS + "\x1a"))


def common_width(rows: Rows) -> int:
    """Return the number of cells that most rows have; 0 for no rows."""
    counts = Counter(len(row) for row in rows)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def find_decimal(rows: Rows, delimiter: str) -> str:
    """Infer the decimal mark from data rows; "" when there is none yet and both may come."""
    cells = [cell.strip() for row in rows for cell in row]
    points = sum(1 for cell in cells if _POINT_NUMBER.fullmatch(cell))
    commas = [cell for cell in cells if "," in cell and _COMMA_NUMBER.fullmatch(cell)]
    if delimiter != ";":  # a comma may part thousands there
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
    lines = sample.text.splitlines()[: _SAMPLE_ROWS + 1]
    if not sample.complete and len(lines) <= _SAMPLE_ROWS:
        lines = lines[:-1]
    bare = (re.sub(f"{sample.quote}[^{sample.quote}]*{sample.quote}", "q", line) for line in lines)
    widths = {len(line.split()) for line in bare} - {0}
    return len(widths) == 1 and max(widths) > least and sample.columns in {0, *widths}
