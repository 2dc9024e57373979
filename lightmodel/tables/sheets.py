"""Read a sheet of an Excel workbook as a table; title rows and units are skipped as in a CSV."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.config.data import FORMULA_ERRORS
from lightmodel.contract.cells import normalize_name
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError
from lightmodel.tables.base import TableRead
from lightmodel.tables.column_types import infer_array, infer_type, null_missing
from lightmodel.tables.preamble import (
    MOST_TITLES,
    are_titles,
    log_skipped,
    may_be_header,
    units_below,
)
from lightmodel.tables.sniff import SAMPLE_ROWS, detect_header
from lightmodel.tables.workbooks import LOST, NO_LIMITS, Row, Sheet, WorkbookLimits, read_sheet

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SheetRows:
    """The rows of a sheet from one on, as wide as the cells that are used there.

    Attributes:
        all: the rows of the sheet.
        start: the first row.
        first: the column of the first cell in use.
        last: the column after the last one.
    """

    all: Sequence[Row]
    start: int
    first: int
    last: int

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.all) - self.start

    def cells(self, at: int) -> Row:
        """Return the cells of a row, None where one is empty."""
        row = self.all[self.start + at][self.first : self.last]
        return row + (None,) * (self.last - self.first - len(row))

    def texts(self, at: int) -> list[str]:
        """Return the cells of a row as text."""
        return [
            "" if value is None or value is LOST else str(value).strip() for value in self.cells(at)
        ]

    def sample(self, start: int = 0) -> list[list[str]]:
        """Return the first rows as text, from `start` on."""
        return [self.texts(at) for at in range(start, min(len(self), SAMPLE_ROWS))]


def cropped(rows: Sequence[Row], start: int = 0) -> list[SheetRows]:
    """Return the rows from `start` on, from the next one on and so forth, one for each possible header."""
    firsts = list(accumulate((_first(row) for row in reversed(rows)), min))[::-1]
    lasts = list(accumulate((len(row) for row in reversed(rows)), max))[::-1]
    ends = min(start + MOST_TITLES + 1, len(rows))
    return [SheetRows(rows, at, firsts[at], lasts[at]) for at in range(start, ends)]


def _first(row: Row) -> int:
    """Return the position of the first cell that is not empty."""
    return next((at for at, value in enumerate(row) if value is not None), len(row))


def read_excel(path: Path, options: DataSection, limits: WorkbookLimits = NO_LIMITS) -> TableRead:
    """Read a sheet of a workbook (.xlsx), with the values that its formulas had when saved.

    Empty rows, and empty columns around the cells, are dropped; see `TableFormat`.

    Raises:
        ConfigError: openpyxl is not installed.
        DataError: it is damaged, or the sheet is no table.
        TooLarge: it exceeds the limits.
    """
    sheet = read_sheet(path, limits, options.sheet)
    if sheet.others:
        _log.info(
            "%s: reading the sheet %r of %d (data.sheet)",
            path.name,
            sheet.name,
            len(sheet.others) + 1,
        )
    rows = _below_titles(sheet, options, path.name)
    header = detect_header(rows.sample(), options, path.name)
    units: tuple[str, ...] = ()
    if header.in_file:
        units = units_below(header.names, rows.sample(1), options, path.name)
    data = range(header.in_file + bool(units), len(rows))
    if not data:
        raise DataError(f"{_described(sheet, path.name)} holds a header and no rows below it")
    dialect = Dialect(
        columns=options.columns,
        header=header.replaced,
        na_values=options.missing_texts,
        skip_rows=sheet.numbers[rows.start] - 1 if rows.start else 0,
        units=units,
        sheet=sheet.name,
    )
    read = sheet_table(rows, header.names, data, dialect, path.name)
    columns = [_numbers_in_text(values) for values in read.table.columns]
    return replace(read, table=pa.table(columns, names=read.table.column_names))


def _below_titles(sheet: Sheet, options: DataSection, file: str) -> SheetRows:
    """Return the rows from the first one below the titles on."""
    if options.skip_rows != "auto":
        start = sum(1 for number in sheet.numbers if number <= options.skip_rows)
        if start == len(sheet.rows):
            raise DataError(
                f"{_described(sheet, file)} has no row below row {options.skip_rows}",
                hint="check data.skip_rows",
            )
        return cropped(sheet.rows, start)[0]
    candidates = cropped(sheet.rows)
    below = next((rows for rows in candidates if _may_begin(rows)), candidates[0])
    above = [_from_column(row, below.first) for row in sheet.rows[: below.start]]
    if not above or not are_titles(above, below.sample(), options):
        return candidates[0]
    log_skipped(file, "row", sheet.numbers[below.start] - 1)
    return below


def _may_begin(rows: SheetRows) -> bool:
    return may_be_header(rows.sample(), rows.last - rows.first)


def _described(sheet: Sheet, file: str) -> str:
    return f"the sheet {sheet.name!r} of {file}"


def _from_column(row: Row, first: int) -> list[str]:
    """Return a title as text, whose first cell is filled if it begins in the table's first column."""
    texts = ["" if value is None else str(value) for value in row]
    return texts[min(_first(row), first) :]


def sheet_table(
    rows: SheetRows, names: Sequence[str], data: range, dialect: Dialect, file: str
) -> TableRead:
    """Return rows of a sheet as a table of plain types, with the formulas that have lost their values.

    Args:
        rows: of the sheet.
        names: of the columns in use.
        data: the rows of the table.
        dialect: uses `na_values`; that of the result.
        file: its name, for messages.
    """
    missing = frozenset((*dialect.na_values, *FORMULA_ERRORS))
    table_rows = [rows.cells(at) for at in data]
    lost, columns = dict[str, int](), list[pa.ChunkedArray]()
    for at, name in enumerate(names):
        values = [row[at] for row in table_rows]
        if count := sum(value is LOST for value in values):
            lost[normalize_name(name)] = count
            values = [None if value is LOST else value for value in values]
        columns.append(infer_array(values, missing))
    _warn_of(lost, file)
    table = pa.table(columns, names=[normalize_name(name) for name in names])
    read = TableRead(null_missing(table, dialect.na_values), dialect)
    return replace(read, lost=lost)


def _numbers_in_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text as numbers if every cell is one, as in a CSV.

    In a request the contract decides, not what the column holds there.
    """
    if not pa.types.is_string(values.type):
        return values
    typed, _ = infer_type(values, (), ".")
    is_numeric = pa.types.is_integer(typed.type) or pa.types.is_floating(typed.type)
    return typed if is_numeric else values


def _warn_of(lost: Mapping[str, int], file: str) -> None:
    if lost:
        _log.warning(
            "%s: formulas without a stored value are missing (%s); open it in Excel and save it again",
            file,
            ", ".join(f"{name}: {count}" for name, count in lost.items()),
        )
