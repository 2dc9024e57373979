"""Read the files of a source as one table, whatever format they have."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.contract.cells import name_of
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError
from lightmodel.tables import csv, excel, json_blocks
from lightmodel.tables.base import TableFormat, TableRead
from lightmodel.tables.column_types import plain_types, without_missing
from lightmodel.tables.detection import Format, detect_format, reported
from lightmodel.tables.header import check_names, named_columns

_log = logging.getLogger(__name__)
_ROW_LABELS = re.compile(r"__index_level_\d+__")  # pandas' name for an index without a name


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
        table = _without_labels(table, path.name)
        table = named_columns(plain_types(table, path.name), path.name)
    table = without_missing(table, options.missing)
    return TableRead(table, Dialect(na_values=("", *options.missing)))


def _without_labels(table: pa.Table, file: str) -> pa.Table:
    labels = [name for name in table.column_names if _ROW_LABELS.fullmatch(name)]
    if labels:
        _log.info("%s: pandas' unnamed row labels are left out", file)
        table = table.drop_columns(labels)
    return table.rename_columns([name_of(name) for name in table.column_names])


FORMATS: Mapping[Format, TableFormat] = {
    "csv": csv.read,
    "parquet": read_parquet,
    "json_lines": json_blocks.read,
    "excel": excel.read,
}


def read_table(paths: Sequence[Path], options: DataSection) -> pa.Table:
    """Read one or several files as one table; see `read_source`."""
    return read_source(paths, options).table


def read_source(paths: Sequence[Path], options: DataSection) -> TableRead:
    """Read one or several files as one table, their rows in the order of `paths`.

    Args:
        paths: files with the same columns, in any order; each may be of another format.
        options: how a CSV is written, where that is not to be found out.

    Returns:
        A table with at least one row, with distinct column names and plain types: int64, float64,
        string, bool, date32, timestamp[us], and how it was written. Columns are in the order of the
        first file.

    Raises:
        DataError: the files are no table; their names are in the message, their cells are not.
        ContractViolation: columns have the same name.
        ConfigError: an option makes no sense.
    """
    if not paths:
        raise DataError("there is no file to read", hint="look at data.source")
    parts = [_read_one(path, options) for path in paths]
    tables = [part.table for part in parts]
    if len(tables) == 1:
        return parts[0]
    _refuse_other_columns(tables, [path.name for path in paths])
    return TableRead(_stacked(tables), _common_dialect([part.dialect for part in parts]))


def _common_dialect(dialects: Sequence[Dialect]) -> Dialect:
    """Return the dialect of files that are read as one, not known as far as they differ."""
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


def _read_one(path: Path, options: DataSection) -> TableRead:
    kind = detect_format(path)
    found = FORMATS[kind](path, options)
    table = found.table
    check_names(table.column_names, path.name)
    if table.num_columns == 0 or table.num_rows == 0:
        raise DataError(f"{path.name} holds no rows", hint="fetch or export it again")
    _log.info(
        "read %s (%s): rows=%d columns=%d", path.name, kind, table.num_rows, table.num_columns
    )
    return found


def _refuse_other_columns(tables: Sequence[pa.Table], names: Sequence[str]) -> None:
    expected = tables[0].column_names
    for name, table in zip(names[1:], tables[1:], strict=True):
        absent = [column for column in expected if column not in table.column_names]
        extra = [column for column in table.column_names if column not in expected]
        if absent or extra:
            facts = [f"it lacks {_listed(absent)}"] if absent else []
            facts += [f"it has {_listed(extra)} besides"] if extra else []
            raise DataError(
                f"{name} does not have the columns of {names[0]}: {'; '.join(facts)}",
                hint="all files that data.source names must have the same columns",
            )


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(repr(column) for column in columns[:10]) + (", …" if columns[10:] else "")


def _stacked(tables: Sequence[pa.Table]) -> pa.Table:
    columns = []
    for name in tables[0].column_names:
        parts = [table[name] for table in tables]
        kind = _common_type(parts)
        chunks = [chunk for part in parts for chunk in part.cast(kind).chunks]
        columns.append(pa.chunked_array(chunks, kind))
    return pa.table(columns, names=tables[0].column_names)


def _common_type(parts: Sequence[pa.ChunkedArray]) -> pa.DataType:
    """Return the type that holds all parts; one without a value is no obstacle to any type."""
    kinds = {part.type for part in parts if part.null_count < len(part)}
    if len(kinds) < 2:
        return kinds.pop() if kinds else pa.float64()
    if kinds == {pa.int64(), pa.float64()}:
        return pa.float64()
    return pa.timestamp("us") if all(map(pa.types.is_temporal, kinds)) else pa.string()
