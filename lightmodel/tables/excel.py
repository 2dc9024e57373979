"""Excel workbooks (.xlsx): the first sheet, with the values that its formulas had when saved."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.contract.columns import Dialect
from lightmodel.errors import ConfigError, DataError
from lightmodel.tables.base import TableRead
from lightmodel.tables.column_types import without_missing
from lightmodel.tables.header import check_names, find_header, named_columns
from lightmodel.tables.records import column_of

Row = tuple[object, ...]

_FORMULA_ERRORS = ("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A")
_SAMPLE_ROWS = 1_000


def read(path: Path, options: DataSection) -> TableRead:
    """Read a workbook's first sheet; see `TableFormat` for what holds of the table.

    Empty rows and columns around the cells are left out; the header is the first row that is left.

    Raises:
        ConfigError: openpyxl is not installed.
        DataError: it is damaged, or its first sheet is no table.
    """
    rows = _cells(_sheet(path))
    if not rows:
        raise DataError(f"the first sheet of {path.name} is empty")
    header = find_header([_texts(row) for row in rows[:_SAMPLE_ROWS]], options, path.name)
    check_names(header.names, path.name)
    data = rows[1:] if header.in_file else rows
    if not data:
        raise DataError(f"the first sheet of {path.name} holds a header and no rows below it")
    missing = frozenset(("", *options.missing, *_FORMULA_ERRORS))
    columns = [column_of([row[at] for row in data], missing) for at in range(len(header.names))]
    table = named_columns(pa.table(columns, names=list(header.names)), path.name)
    return TableRead(
        without_missing(table, options.missing), Dialect(na_values=("", *options.missing))
    )


def _sheet(path: Path) -> list[Row]:
    try:
        from openpyxl import load_workbook  # slow to import, and only few tables are workbooks
    except ImportError:
        raise ConfigError(
            "openpyxl, which reads Excel files, is not installed",
            hint="pip install openpyxl, or save the table as CSV",
        ) from None
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions, which no table needs
            workbook = load_workbook(file, read_only=True, data_only=True)
            try:
                sheet = workbook.worksheets[0]
                sheet.reset_dimensions()  # what programs write there is often wrong
                return [tuple(row) for row in sheet.iter_rows(values_only=True)]
            finally:
                workbook.close()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 — openpyxl lets through whatever a damaged part causes
        raise DataError(
            f"{path.name} cannot be read as an Excel workbook ({type(error).__name__})",
            hint="open it in Excel and save it again, or save it as CSV",
        ) from None


def _cells(rows: list[Row]) -> list[Row]:
    """Cut a sheet to the rectangle that holds something; rows come without their empty ends."""
    filled = [at for at, row in enumerate(rows) if not _is_blank(row)]
    rows = rows[filled[0] : filled[-1] + 1] if filled else []
    used = [at for row in rows for at, value in enumerate(row) if not _is_blank((value,))]
    first, last = min(used, default=0), max(used, default=-1) + 1
    return [(row + (None,) * (last - len(row)))[first:last] for row in rows if not _is_blank(row)]


def _is_blank(row: Sequence[object]) -> bool:
    return all(value is None or (isinstance(value, str) and not value.strip()) for value in row)


def _texts(row: Row) -> list[str]:
    return ["" if value is None else str(value) for value in row]
