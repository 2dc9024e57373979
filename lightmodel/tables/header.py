"""Names of columns: found in the first line or given, all there, all distinct."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.contract.cells import name_of
from lightmodel.errors import ContractViolation, DataError, Violation
from lightmodel.tables.sniff import Rows, common_width

_log = logging.getLogger(__name__)

_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
_COUNTING = (["0", "1"], ["1", "2"], ["1"])
_VOTERS = 200
_NO_NAMES = 'name the columns with data.columns, or set data.header = "yes" if these are names'


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


def check_names(names: Sequence[str], file: str) -> None:
    """Refuse names that stand twice, with all of them.

    Raises:
        ContractViolation: some name does.
    """
    counts = Counter(name for name in names if name)
    repeated = [
        Violation(name, "duplicate_column", f"stands in the header {count} times")
        for name, count in counts.items()
        if count > 1
    ]
    if repeated:
        raise ContractViolation(
            repeated, what=file, hint="give each column a name of its own, or remove the copies"
        )


def named_columns(table: pa.Table, file: str) -> pa.Table:
    """Leave out what export programs add: empty columns at the end, row numbers at the beginning.

    Raises:
        DataError: some other column has no name.
    """
    names = table.column_names
    first, last = 0, len(names)
    while last > 1 and not names[last - 1] and _is_empty(table.column(last - 1)):
        last -= 1
    if last > 1 and not names[0] and _counts_rows(table.column(0)):
        _log.info("%s: its first column only numbers the rows and is left out", file)
        first = 1
    unnamed = [str(at + 1) for at in range(first, last) if not names[at]]
    if unnamed:
        raise DataError(
            f"{file}: {len(unnamed)} of {last} columns ha{'ve' if len(unnamed) > 1 else 's'} "
            f"no name (counted from 1: {', '.join(unnamed[:10])}{', …' if unnamed[10:] else ''})",
            hint="name them in the file, or name all columns with data.columns",
        )
    if last - first < len(names):
        table = table.select(range(first, last))
    return table


def _is_empty(values: pa.ChunkedArray) -> bool:
    return bool(values.null_count == len(values))


def _counts_rows(values: pa.ChunkedArray) -> bool:
    """Return whether a column holds 0, 1, 2 … or 1, 2, 3 and so on."""
    if not pa.types.is_integer(values.type) or values.null_count or not len(values):
        return False
    numbers = values.to_numpy()
    first = numbers[0]
    return first in (0, 1) and np.array_equal(numbers, np.arange(first, first + len(numbers)))
