"""Read Parquet files, JSON records and Excel workbooks, each as a whole, as one table."""

import logging
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from lightmodel.config import DataSection
from lightmodel.contract.cells import INT64_END, normalize_name
from lightmodel.contract.columns import Dialect
from lightmodel.errors import ConfigError, DataError
from lightmodel.tables.base import TableRead, Text, arrow_stream, open_text, translate_errors
from lightmodel.tables.byte_stream import detect_form
from lightmodel.tables.column_types import infer_array, null_missing, to_plain_types
from lightmodel.tables.json_forms import extract_records
from lightmodel.tables.json_text import Record, load_exactly, parse_json, parse_json_lines
from lightmodel.tables.sniff import SAMPLE_ROWS, detect_header

Row = tuple[object, ...]

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # pandas' name for an index without a name
_FORMULA_ERRORS = ("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#N/A")


def _normalize(table: pa.Table, options: DataSection) -> TableRead:
    """Return a table of plain types with the other properties that `TableFormat` requires."""
    table = table.rename_columns([normalize_name(name) for name in table.column_names])
    dialect = Dialect(na_values=("", *options.na_values))
    return TableRead(null_missing(table, options.na_values), dialect)


def read_parquet(path: Path, options: DataSection) -> TableRead:
    """Read a Parquet file; see `TableFormat` for the properties of the table.

    Raises:
        DataError: it is damaged, or holds nested values.
    """
    from pyarrow import parquet  # slow to import, and serving CSV does not need it

    with translate_errors(path.name, "a Parquet file"):
        with parquet.ParquetFile(path) as file:
            table = file.read()
        table.validate(full=True)  # Parquet does not guarantee that its texts are UTF-8
        labels = [name for name in table.column_names if _PANDAS_INDEX.fullmatch(name)]
        if labels:
            _log.info("%s: dropped the unnamed pandas index", path.name)
        return _normalize(to_plain_types(table.drop_columns(labels), path.name), options)


def read_excel(path: Path, options: DataSection) -> TableRead:
    """Read the first sheet of a workbook (.xlsx), with the values that its formulas had when saved.

    Empty rows, and empty columns around the cells, are dropped; the header is the first row left.

    Raises:
        ConfigError: openpyxl is not installed.
        DataError: it is damaged, or its first sheet is not a table.
    """
    rows = _crop(_sheet(path))
    if not rows:
        raise DataError(f"the first sheet of {path.name} is empty")
    sample = [["" if value is None else str(value) for value in row] for row in rows[:SAMPLE_ROWS]]
    header = detect_header(sample, options, path.name)
    data = rows[1:] if header.in_file else rows
    if not data:
        raise DataError(f"the first sheet of {path.name} holds a header and no rows below it")
    missing = frozenset(("", *options.na_values, *_FORMULA_ERRORS))
    columns = [infer_array([row[at] for row in data], missing) for at in range(len(header.names))]
    return _normalize(pa.table(columns, names=list(header.names)), options)


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
            warnings.simplefilter("ignore")  # about styles and extensions, which do not matter here
            workbook = load_workbook(file, read_only=True, data_only=True)
            try:
                sheet = workbook.worksheets[0]
                sheet.reset_dimensions()  # the stored dimensions are often wrong
                return [tuple(row) for row in sheet.iter_rows(values_only=True)]
            finally:
                workbook.close()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 — openpyxl raises arbitrary errors for damaged files
        raise DataError(
            f"{path.name} cannot be read as an Excel workbook ({type(error).__name__})",
            hint="open it in Excel and save it again, or save it as CSV",
        ) from None


def _crop(rows: list[Row]) -> list[Row]:
    """Crop a sheet to its used rectangle, without blank rows; rows may lack their empty last cells."""
    filled = [at for at, row in enumerate(rows) if not _is_blank(row)]
    rows = rows[filled[0] : filled[-1] + 1] if filled else []
    used = [at for row in rows for at, value in enumerate(row) if not _is_blank((value,))]
    first, last = min(used, default=0), max(used, default=-1) + 1
    return [(row + (None,) * (last - len(row)))[first:last] for row in rows if not _is_blank(row)]


def _is_blank(row: Sequence[object]) -> bool:
    return all(value is None or (isinstance(value, str) and not value.strip()) for value in row)


def read_json(path: Path, options: DataSection) -> TableRead:
    """Read JSON records; see `TableFormat` for the properties of the table.

    Every key of any record is a column; it is null in records without it.

    Raises:
        DataError: a line is not a JSON object (named by its number), or values are nested.
    """
    with translate_errors(path.name, "JSON Lines"):
        text = open_text(path, "utf-8")
        table = _read_with_arrow(text)
        if table is None:
            table = _read_with_python(text, frozenset(("", *options.na_values)))
        return _normalize(to_plain_types(table, text.name), options)


def _read_with_arrow(text: Text) -> pa.Table | None:
    """Read uniform JSON Lines fast; return None if they are not uniform."""
    if not text.sample.lstrip().startswith("{"):
        return None
    longest = max(len(line) for line in text.sample.splitlines())
    options = arrow_json.ReadOptions(block_size=max(_BLOCK, 8 * longest))
    try:
        with arrow_stream(text.utf8()) as stream:
            table = arrow_json.read_json(stream, read_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    # an integer that is too long becomes a float, and loses digits
    numbers = [column for column in table.columns if pa.types.is_floating(column.type)]
    largest = max((pc.max(pc.abs(column)).as_py() or 0.0 for column in numbers), default=0.0)
    return table if table.num_columns and largest < INT64_END else None


def _read_with_python(text: Text, missing: frozenset[str]) -> pa.Table:
    """Read records of mixed types, or an array of records; raise a DataError if there are none."""
    records = _records(text)
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise DataError(f"{text.name} holds no records")
    columns = {name: [record.get(name) for record in records] for name in names}
    return pa.table([infer_array(values, missing) for values in columns.values()], names=names)


def _records(text: Text) -> Sequence[Record]:
    """Parse all records as in a request, but slower, with integers of any length."""
    content = b"".join(text.utf8())
    if detect_form(content) == "json":
        return extract_records(parse_json(content, load_exactly))
    return list(parse_json_lines(content, load=load_exactly))
