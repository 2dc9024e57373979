"""Write the training and test tables of a split, and read them back unchanged."""

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv as arrow_csv

from lightmodel.contract import time_arrays
from lightmodel.contract.columns import ColumnType
from lightmodel.errors import DataError
from lightmodel.free_memory import keep_little, release
from lightmodel.tables.mapped import mapped_table

SplitFormat = Literal["csv", "parquet"]

ARROW_TYPES = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.CATEGORY: pa.string(),
    ColumnType.TEXT: pa.string(),
    **time_arrays.ARROW_TYPES,
}
_BLOCK_CELLS = 200_000  # 2 to 4 MB of text
_GROUP_ROWS = 65_536
_READ_BYTES = 4 << 20  # of CSV at a time, where a table goes to a file
_READ_ROWS = 8_192  # of Parquet
_HINT = "run preprocess again"


def write_table(table: pa.Table, path: Path, format: SplitFormat, threads: int) -> None:  # noqa: A002 — the setting's name
    """Write a table; the same table results in the same bytes, whatever `threads` is.

    CSV is UTF-8 with a header and commas; texts are quoted, missing values are empty and unquoted,
    and numbers are read back bit by bit. The file is neither renamed nor synced.

    Args:
        table: of plain types, with distinct column names.
        path: of the file, which is overwritten.
        format: of the file.
        threads: how many threads convert blocks to CSV; at least 1.

    Raises:
        OSError: the file cannot be written, e.g. because the disk is full.
    """
    if format == "csv":
        _write_csv(table, path, threads)
    else:
        _write_parquet(table, path)


def read_part(
    path: Path,
    format: SplitFormat,  # noqa: A002 — see above
    types: Mapping[str, pa.DataType],
    folder: Path | None = None,
) -> pa.Table:
    """Read a table written by `write_table`, with its original types.

    Args:
        path: of the file.
        format: of the file.
        types: of the columns; that of any other is inferred.
        folder: is to hold a temporary file with the cells; None: memory holds them.

    Raises:
        DataError: the file does not exist, is damaged, or lacks a column of `types`.
        LightModelError: the temporary file cannot be written.
    """
    try:
        if folder is None:
            table = _read_csv(path, types) if format == "csv" else _read_parquet(path, types)
        else:
            keep_little()
            map_part = _map_csv if format == "csv" else _map_parquet
            table = map_part(path, types, folder)
            release()
    except MemoryError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path.name}: there is no such file", hint=_HINT) from None
    except (pa.ArrowException, OSError):
        message = f"{path.name} cannot be read as a {format} table of a split"
        raise DataError(message, hint=_HINT) from None
    absent = [name for name in types if name not in table.column_names]
    if absent:
        raise DataError(f"{path.name} has no column {', '.join(absent[:10])}", hint=_HINT)
    return table


def _write_csv(table: pa.Table, path: Path, threads: int) -> None:
    pending: deque[Future[pa.Buffer]] = deque()
    with path.open("wb") as file, ThreadPoolExecutor(threads, "csv") as pool:
        file.write(_csv_text(table.slice(0, 0), header=True))
        most = max(1, _BLOCK_CELLS // max(1, table.num_columns))
        for block in table.to_reader(max_chunksize=most):
            pending.append(pool.submit(_csv_text, block))
            if len(pending) > threads:
                file.write(pending.popleft().result())
        while pending:
            file.write(pending.popleft().result())


def _csv_text(rows: pa.Table | pa.RecordBatch, *, header: bool = False) -> pa.Buffer:
    options = arrow_csv.WriteOptions(
        include_header=header, quoting_style="needed", batch_size=max(1, rows.num_rows)
    )
    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(rows, sink, options)
    return sink.getvalue()


_PARSING = arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)


def _converting(
    types: Mapping[str, pa.DataType], columns: Sequence[str] = ()
) -> arrow_csv.ConvertOptions:
    """Return how cells are read; `columns` are those to read, () all."""
    return arrow_csv.ConvertOptions(
        column_types=dict(types),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        include_columns=list(columns),
    )


def _read_csv(
    path: Path, types: Mapping[str, pa.DataType], columns: Sequence[str] = ()
) -> pa.Table:
    return arrow_csv.read_csv(
        path, parse_options=_PARSING, convert_options=_converting(types, columns)
    )


def _map_csv(path: Path, types: Mapping[str, pa.DataType], folder: Path) -> pa.Table:
    with _csv_blocks(path, types) as blocks:
        unknown = [name for name in blocks.schema.names if name not in types]
    if unknown:  # the first block does not tell the types of all
        inferred = _read_csv(path, types, unknown).schema
        types = {**types, **{field.name: field.type for field in inferred}}
    with _csv_blocks(path, types) as blocks:
        return mapped_table(blocks, blocks.schema, folder)


def _csv_blocks(path: Path, types: Mapping[str, pa.DataType]) -> arrow_csv.CSVStreamingReader:
    reading = arrow_csv.ReadOptions(block_size=_READ_BYTES)
    return arrow_csv.open_csv(path, reading, _PARSING, _converting(types))


def _write_parquet(table: pa.Table, path: Path) -> None:
    from pyarrow import parquet  # slow to import, and the default is CSV

    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    schema = table.schema.remove_metadata()
    with parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=texts) as writer:
        for start in range(0, max(1, table.num_rows), _GROUP_ROWS):
            # one chunk per column, so that the bytes do not depend on the table's chunks
            group = table.slice(start, _GROUP_ROWS).combine_chunks()
            writer.write_table(group.cast(schema), _GROUP_ROWS)


def _read_parquet(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    from pyarrow import parquet  # as above

    with parquet.ParquetFile(path) as file:
        table = file.read()
    return table.cast(_wanted(table.schema, types))


def _map_parquet(path: Path, types: Mapping[str, pa.DataType], folder: Path) -> pa.Table:
    from pyarrow import parquet  # as above

    # pre_buffer would hold all that was read
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        schema = _wanted(file.schema_arrow, types)
        batches = file.iter_batches(_READ_ROWS)
        return mapped_table((batch.cast(schema) for batch in batches), schema, folder)


def _wanted(schema: pa.Schema, types: Mapping[str, pa.DataType]) -> pa.Schema:
    return pa.schema([(field.name, types.get(field.name, field.type)) for field in schema])
