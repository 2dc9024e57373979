"""Read the files of a source as one table, whatever their formats."""

import codecs
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.config import DataSection
from lightmodel.contract.columns import Dialect
from lightmodel.contract.time_arrays import TIMESTAMP
from lightmodel.errors import DataError
from lightmodel.tables import csv
from lightmodel.tables.base import (
    LargeTableFormat,
    TableFormat,
    TableRead,
    refuse_duplicates,
    translate_errors,
)
from lightmodel.tables.byte_stream import peek, read_chunks
from lightmodel.tables.file_forms import Form, refuse_non_table
from lightmodel.tables.formats import read_json, read_parquet
from lightmodel.tables.mapped import moved_with
from lightmodel.tables.sheets import read_excel
from lightmodel.tables.workbooks import NO_LIMITS, WorkbookLimits

_log = logging.getLogger(__name__)
_JSON_NAMES = (".jsonl", ".ndjson", ".json")
_PARQUET_NAMES = (".parquet", ".pq")
_EXCEL_NAMES = (".xlsx", ".xlsm")

FORMATS: Mapping[Form, TableFormat] = {
    "csv": csv.read,
    "parquet": read_parquet,
    "json_lines": read_json,
    "excel": read_excel,
}
_LARGE_FORMATS: Mapping[Form, LargeTableFormat] = {  # an Excel sheet has 1,048,576 rows at most
    "csv": csv.read,
    "parquet": read_parquet,
    "json_lines": read_json,
}
IN_MEMORY_BYTES = 16 << 20  # of all files; what they hold, compressed, may be ten times larger


def read_table(paths: Sequence[Path], options: DataSection) -> pa.Table:
    """Read one or several files as one table; see `read_source`."""
    return read_source(paths, options).table


def read_source(
    paths: Sequence[Path],
    options: DataSection,
    limits: WorkbookLimits = NO_LIMITS,
    work: Path | None = None,
) -> TableRead:
    """Read one or several files as one table, their rows in the order of `paths`.

    Args:
        paths: files with the same columns, in any order; their formats may differ.
        options: the dialect of CSV files, where it is not to be detected.
        limits: of Excel files.
        work: folder of a temporary file for the cells of a large table; None keeps all in memory.

    Returns:
        A table with at least one row, with distinct column names and plain types: int64, float64,
        string, bool, date32, timestamp[us], duration[us], and how it was written. Columns are in the
        order of the first file.

    Raises:
        DataError: a file is not a table; the message names the file, and quotes no cell.
        ContractViolation: columns have the same name.
        ConfigError: an option is invalid.
    """
    if not paths:
        raise DataError("there is no file to read", hint="check data.source")
    folder = work if _are_large(paths) else None
    parts = [_read_one(path, options, limits, folder) for path in paths]
    tables = [part.table for part in parts]
    if len(tables) == 1:
        return parts[0]
    _refuse_other_columns(tables, [path.name for path in paths])
    return TableRead(_stacked(tables), _common_dialect([part.dialect for part in parts]))


def _are_large(paths: Sequence[Path]) -> bool:
    return sum(path.stat().st_size for path in paths if path.is_file()) > IN_MEMORY_BYTES


def _common_dialect(dialects: Sequence[Dialect]) -> Dialect:
    """Return the common dialect of files that are read as one table, unset where they differ."""
    texts = [dialect for dialect in dialects if dialect.delimiter] or dialects
    first = texts[0]
    if any(other.delimiter != first.delimiter for other in texts):
        return Dialect(na_values=first.na_values)
    marks = {dialect.decimal for dialect in texts} - {""}
    encodings = {dialect.encoding for dialect in texts} - {"utf-8"}
    return replace(
        first,
        decimal=marks.pop() if len(marks) == 1 else "",
        encoding=encodings.pop() if len(encodings) == 1 else "utf-8",
    )


def _read_one(
    path: Path, options: DataSection, limits: WorkbookLimits, folder: Path | None
) -> TableRead:
    form = _form_of(path)
    if form in _LARGE_FORMATS:
        read = _LARGE_FORMATS[form](path, options, folder)
    else:
        read = read_excel(path, options, limits)
    refuse_duplicates(read.table.column_names, path.name)
    table = drop_export_artefacts(read.table, path.name)
    rows, columns = table.shape
    if not rows or not columns:
        raise DataError(f"{path.name} holds no rows", hint="fetch or export it again")
    _log.info("read %s (%s): rows=%d columns=%d", path.name, form, rows, columns)
    return replace(read, table=table)


def _form_of(path: Path) -> Form:
    """Return the format of a file.

    Raises:
        DataError: it does not exist, is empty, or is of a known format that is not a table.
    """
    with translate_errors(path.name, "a table"):
        beginning = peek(read_chunks(path), 1)[0][:4096]
    refuse_non_table(beginning, path.name)
    if beginning.startswith(b"PAR1"):
        return "parquet"
    if beginning.startswith(b"PK\x03\x04"):
        return _zipped(path)
    name = path.name.lower()
    for names, kind in ((_PARQUET_NAMES, "Parquet"), (_EXCEL_NAMES, "Excel (.xlsx)")):
        if name.endswith(names) and b"\0" in beginning:
            raise DataError(
                f"{path.name} is not a {kind} file, despite its name",
                hint="fetch or export it again",
            )
    is_json = name.removesuffix(".gz").endswith(_JSON_NAMES) or _looks_like_json(beginning)
    return "json_lines" if is_json else "csv"


def _zipped(path: Path) -> Form:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise DataError(
            f"{path.name} is a damaged ZIP or Excel file", hint="fetch or export it again"
        ) from None
    if "xl/workbook.xml" in members:
        return "excel"
    raise DataError(
        f"{path.name} is a ZIP archive of {len(members)} file{'s' if len(members) != 1 else ''}",
        hint="extract it and name the table inside; a single CSV may be compressed with gzip",
    )


def _looks_like_json(beginning: bytes) -> bool:
    text = beginning.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"["):
        text = text[1:].lstrip()
    return text.startswith(b"{") and text[1:].lstrip()[:1] in (b'"', b"}")


def drop_export_artefacts(table: pa.Table, file: str) -> pa.Table:
    """Drop unnamed columns that export programs add: trailing empty ones, and a leading row number.

    Args:
        table: of plain types.
        file: its name, for messages.

    Raises:
        DataError: another column has no name.
    """
    names = table.column_names
    first, last = 0, len(names)
    while last > 1 and not names[last - 1] and table.column(last - 1).null_count == table.num_rows:
        last -= 1
    if last > 1 and not names[0] and _numbers_rows(table.column(0)):
        _log.info(
            "%s: dropped the first column, which only numbers the rows; to keep it, name it", file
        )
        first = 1
    unnamed = [str(at + 1) for at in range(first, last) if not names[at]]
    if unnamed:
        raise DataError(
            f"{file}: {len(unnamed)} of {last} columns ha{'ve' if len(unnamed) > 1 else 's'} "
            f"no name (counted from 1: {', '.join(unnamed[:10])}{', …' if unnamed[10:] else ''})",
            hint="name them in the file, or all columns by data.columns; data.skip_rows skips rows "
            "above the header",
        )
    return table.select(range(first, last))


def _numbers_rows(values: pa.ChunkedArray) -> bool:
    """Return whether a column has another whole number in each row, in any order."""
    if not pa.types.is_integer(values.type) or values.null_count or not len(values):
        return False
    return bool(pc.count_distinct(values).as_py() == len(values))


def _refuse_other_columns(tables: Sequence[pa.Table], names: Sequence[str]) -> None:
    expected = tables[0].column_names
    for name, table in zip(names[1:], tables[1:], strict=True):
        absent = [column for column in expected if column not in table.column_names]
        extra = [column for column in table.column_names if column not in expected]
        if absent or extra:
            facts = [f"it lacks {_listed(absent)}"] if absent else []
            facts += [f"it has {_listed(extra)} in addition"] if extra else []
            raise DataError(
                f"{name} does not have the columns of {names[0]}: {'; '.join(facts)}",
                hint="all files that data.source names must have the same columns",
            )


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(repr(column) for column in columns[:10]) + (", …" if columns[10:] else "")


def _stacked(tables: Sequence[pa.Table]) -> pa.Table:
    names = tables[0].column_names
    kinds = [_common_type([table[name] for table in tables]) for name in names]
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    return pa.concat_tables([_cast(table, schema) for table in tables])


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [table[field.name] for field in schema]
    read = [
        moved_with(column.cast(field.type), column)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.table(read, schema=schema)


def _common_type(parts: Sequence[pa.ChunkedArray]) -> pa.DataType:
    """Return the type that can hold all parts; a part without values fits any type."""
    kinds = {part.type for part in parts if part.null_count < len(part)}
    if len(kinds) < 2:
        return kinds.pop() if kinds else pa.float64()
    if kinds == {pa.int64(), pa.float64()}:
        return pa.float64()
    return TIMESTAMP if kinds == {TIMESTAMP, pa.date32()} else pa.string()
