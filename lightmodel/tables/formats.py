"""Parquet files, JSON records and Excel workbooks, each read whole as one table."""

import json
import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from lightmodel.config import DataSection
from lightmodel.contract.cells import INT64_END, name_of
from lightmodel.contract.columns import Dialect
from lightmodel.errors import ConfigError, DataError
from lightmodel.tables.base import TableRead, Text, open_text, reported, stream_of
from lightmodel.tables.byte_stream import form_of
from lightmodel.tables.column_types import column_of, plain_types, without_missing
from lightmodel.tables.json_blocks import Record, lines_in, loaded, records_in
from lightmodel.tables.sniff import find_header

Row = tuple[object, ...]

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_ROW_LABELS = re.compile(r"__index_level_\d+__")  # pandas' name for an index without a name
_FORMULA_ERRORS = ("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A")
_SAMPLE_ROWS = 1_000


def _table_read(table: pa.Table, options: DataSection) -> TableRead:
    """Return a table of plain types as `TableFormat` wants it."""
    table = table.rename_columns([name_of(name) for name in table.column_names])
    dialect = Dialect(na_values=("", *options.na_values))
    return TableRead(without_missing(table, options.na_values), dialect)


def read_parquet(path: Path, options: DataSection) -> TableRead:
    """Read a Parquet file; see `TableFormat` for what holds of the table.

    Raises:
        DataError: it is damaged, or holds nested values.
    """
    from pyarrow import parquet  # takes a while, and serving CSV does without

    with reported(path.name, "a Parquet file"):
        with parquet.ParquetFile(path) as file:
            table = file.read()
        table.validate(full=True)  # Parquet does not say that its texts are UTF-8
        labels = [name for name in table.column_names if _ROW_LABELS.fullmatch(name)]
        if labels:
            _log.info("%s: pandas' unnamed row labels are left out", path.name)
        return _table_read(plain_types(table.drop_columns(labels), path.name), options)


def read_excel(path: Path, options: DataSection) -> TableRead:
    """Read the first sheet of a workbook (.xlsx), with the values that its formulas had when saved.

    Empty rows and columns around the cells are left out; the header is the first row that is left.

    Raises:
        ConfigError: openpyxl is not installed.
        DataError: it is damaged, or its first sheet is no table.
    """
    rows = _cells(_sheet(path))
    if not rows:
        raise DataError(f"the first sheet of {path.name} is empty")
    sample = [["" if value is None else str(value) for value in row] for row in rows[:_SAMPLE_ROWS]]
    header = find_header(sample, options, path.name)
    data = rows[1:] if header.in_file else rows
    if not data:
        raise DataError(f"the first sheet of {path.name} holds a header and no rows below it")
    missing = frozenset(("", *options.na_values, *_FORMULA_ERRORS))
    columns = [column_of([row[at] for row in data], missing) for at in range(len(header.names))]
    return _table_read(pa.table(columns, names=list(header.names)), options)


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


def read_json(path: Path, options: DataSection) -> TableRead:
    """Read records; see `TableFormat` for what holds of the table.

    A column is there when some record names it; where one does not, it is null.

    Raises:
        DataError: a line is no JSON object (named by its number), or values are nested.
    """
    with reported(path.name, "JSON Lines"):
        text = open_text(path, "utf-8")
        table = _by_arrow(text)
        if table is None:
            table = _by_python(text, frozenset(("", *options.na_values)))
        return _table_read(plain_types(table, text.name), options)


def _by_arrow(text: Text) -> pa.Table | None:
    """Read regular records fast; None when they are not regular."""
    if not text.sample.lstrip().startswith("{"):
        return None
    longest = max(len(line) for line in text.sample.splitlines())
    options = arrow_json.ReadOptions(block_size=max(_BLOCK, 8 * longest))
    try:
        with stream_of(text.utf8()) as stream:
            table = arrow_json.read_json(stream, read_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    # a whole number that is too long becomes a float, and loses its digits
    numbers = [column for column in table.columns if pa.types.is_floating(column.type)]
    largest = max((pc.max(pc.abs(column)).as_py() or 0.0 for column in numbers), default=0.0)
    return table if table.num_columns and largest < INT64_END else None


def _by_python(text: Text, missing: frozenset[str]) -> pa.Table:
    """Read records whose values change their type, an array of records, or say what is wrong."""
    records = _records(text)
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise DataError(f"{text.name} holds no records")
    columns = {name: [record.get(name) for record in records] for name in names}
    return pa.table([column_of(values, missing) for values in columns.values()], names=names)


def _records(text: Text) -> Sequence[Record]:
    """Read all records as a request's are read, but slower, with whole numbers of any length."""
    content = b"".join(text.utf8())
    if form_of(content) == "json":
        return records_in(loaded(content, json.loads))
    return list(lines_in(content, load=json.loads))
