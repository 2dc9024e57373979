"""The project's own tables, the two sides of a split: written fast, and read back as they were."""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv as arrow_csv

from lightmodel.contract.columns import ColumnType
from lightmodel.errors import DataError

OwnFormat = Literal["csv", "parquet"]

ARROW_TYPES = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.CATEGORY: pa.string(),
}
_BLOCK_CELLS = 200_000  # 2 to 4 MB of text
_GROUP_ROWS = 65_536
_DAMAGED = "run preprocess again"


def write_table(table: pa.Table, path: Path, format: OwnFormat, threads: int) -> None:  # noqa: A002 — the setting's name
    """Write a table; the same table gives the same bytes, whatever the threads.

    CSV is UTF-8 with a header and commas; texts are quoted, what is missing is empty and unquoted,
    numbers are written so that they read back bit by bit. The file is neither renamed nor synced.

    Args:
        table: of plain types, with distinct column names.
        path: to write; what is there is replaced.
        format: of the file.
        threads: how many write CSV side by side; at least 1.

    Raises:
        OSError: the disk is full, or refuses it otherwise.
    """
    if format == "csv":
        _write_csv(table, path, threads)
    else:
        _write_parquet(table, path)


def read_own(path: Path, format: OwnFormat, types: Mapping[str, pa.DataType]) -> pa.Table:  # noqa: A002 — see above
    """Read what `write_table` wrote, with the types that it had.

    The type of a column that `types` does not name is inferred.

    Raises:
        DataError: it is not there, damaged, or lacks a column of `types`.
    """
    try:
        table = _read_csv(path, types) if format == "csv" else _read_parquet(path, types)
    except MemoryError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path.name}: there is no such file", hint=_DAMAGED) from None
    except (pa.ArrowException, OSError):
        message = f"{path.name} cannot be read as a table of this project ({format})"
        raise DataError(message, hint=_DAMAGED) from None
    absent = [name for name in types if name not in table.column_names]
    if absent:
        raise DataError(f"{path.name} has no column {', '.join(absent[:10])}", hint=_DAMAGED)
    return table


def _write_csv(table: pa.Table, path: Path, threads: int) -> None:
    pending: deque[Future[pa.Buffer]] = deque()
    with path.open("wb") as file, ThreadPoolExecutor(threads, "csv") as pool:
        file.write(_text(table.slice(0, 0), header=True))
        most = max(1, _BLOCK_CELLS // max(1, table.num_columns))
        for block in table.to_batches(max_chunksize=most):
            pending.append(pool.submit(_text, block))
            if len(pending) > threads:
                file.write(pending.popleft().result())
        while pending:
            file.write(pending.popleft().result())


def _text(rows: pa.Table | pa.RecordBatch, *, header: bool = False) -> pa.Buffer:
    options = arrow_csv.WriteOptions(
        include_header=header, quoting_style="needed", batch_size=max(1, rows.num_rows)
    )
    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(rows, sink, options)
    return sink.getvalue()


def _read_csv(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    return arrow_csv.read_csv(
        path,
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict(types),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _write_parquet(table: pa.Table, path: Path) -> None:
    from pyarrow import parquet  # takes a while, and the default is CSV

    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    schema = table.schema.remove_metadata()
    with parquet.ParquetWriter(path, schema, compression="zstd", use_dictionary=texts) as writer:
        for start in range(0, max(1, table.num_rows), _GROUP_ROWS):
            # one chunk for each column: how the table came in pieces must not show in the bytes
            group = table.slice(start, _GROUP_ROWS).combine_chunks()
            writer.write_table(group.cast(schema), _GROUP_ROWS)


def _read_parquet(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    from pyarrow import parquet  # as above

    with parquet.ParquetFile(path) as file:
        table = file.read()
    wanted = [types.get(field.name, field.type) for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, wanted, strict=True))))
