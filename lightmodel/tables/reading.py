"""Read the files of a source as one table, whatever format they have."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables import csv, excel, json_lines, parquet
from lightmodel.tables.base import TableFormat
from lightmodel.tables.detection import Format, detect_format
from lightmodel.tables.names import check_names

_log = logging.getLogger(__name__)

FORMATS: Mapping[Format, TableFormat] = {
    "csv": csv.read,
    "parquet": parquet.read,
    "json_lines": json_lines.read,
    "excel": excel.read,
}


def read_table(paths: Sequence[Path], options: DataSection) -> pa.Table:
    """Read one or several files as one table, their rows in the order of `paths`.

    Args:
        paths: files with the same columns, in any order; each may be of another format.
        options: how a CSV is written, where that is not to be found out.

    Returns:
        A table with at least one row, with distinct column names and plain types: int64, float64,
        string, bool, date32, timestamp[us]. Columns are in the order of the first file.

    Raises:
        DataError: the files are no table; their names are in the message, their cells are not.
        ContractViolation: columns have the same name.
        ConfigError: an option makes no sense.
    """
    if not paths:
        raise DataError("there is no file to read", hint="look at data.source")
    tables = [_read_one(path, options) for path in paths]
    if len(tables) == 1:
        return tables[0]
    _refuse_other_columns(tables, [path.name for path in paths])
    return _stacked(tables)


def _read_one(path: Path, options: DataSection) -> pa.Table:
    kind = detect_format(path)
    table = FORMATS[kind](path, options)
    check_names(table.column_names, path.name)
    if table.num_columns == 0 or table.num_rows == 0:
        raise DataError(f"{path.name} holds no rows", hint="fetch or export it again")
    _log.info(
        "read %s (%s): rows=%d columns=%d", path.name, kind, table.num_rows, table.num_columns
    )
    return table


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
    """Give the type that holds all parts; one without a value is no obstacle to any type."""
    kinds = {part.type for part in parts if part.null_count < len(part)}
    if len(kinds) < 2:
        return kinds.pop() if kinds else pa.float64()
    if kinds == {pa.int64(), pa.float64()}:
        return pa.float64()
    return pa.timestamp("us") if all(map(pa.types.is_temporal, kinds)) else pa.string()
