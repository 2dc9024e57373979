"""The project's own tables, the two sides of a split: written fast, and read back as they were."""

import errno
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.csv as arrow_csv

from lightmodel.errors import DataError, StorageFull
from lightmodel.tables.detection import reported

OwnFormat = Literal["csv", "parquet"]

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
        format: "csv" or "parquet".
        threads: how many write CSV side by side; at least 1.

    Raises:
        StorageFull: the disk, or the quota on it, is full.
    """
    with _room_needed(path):
        if format == "csv":
            _write_csv(table, path, threads)
        else:
            _write_parquet(table, path)


def read_own(path: Path, format: OwnFormat, types: Mapping[str, pa.DataType]) -> pa.Table:  # noqa: A002 — see above
    """Read what `write_table` wrote, with the types that it had.

    Args:
        path: of the file.
        format: "csv" or "parquet".
        types: of the columns by name; one that is not named is found out.

    Raises:
        DataError: it is not there, damaged, or lacks a column of `types`.
    """
    with reported(path.name, f"a table of this project ({format})"):
        table = _read_csv(path, types) if format == "csv" else _read_parquet(path, types)
    absent = [name for name in types if name not in table.column_names]
    if absent:
        raise DataError(f"{path.name} has no column {', '.join(absent[:10])}", hint=_DAMAGED)
    return table


@contextmanager
def _room_needed(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull(
                f"no room is left for {path.name}", hint="free some space, then run it again"
            ) from None
        raise


def _write_csv(table: pa.Table, path: Path, threads: int) -> None:
    pending: deque[Future[pa.Buffer]] = deque()
    with path.open("wb") as file, ThreadPoolExecutor(threads, "csv") as pool:
        file.write(_text(table.slice(0, 0), header=True))
        for block in _blocks(table):
            pending.append(pool.submit(_text, block))
            if len(pending) > threads:
                file.write(pending.popleft().result())
        while pending:
            file.write(pending.popleft().result())


def _blocks(table: pa.Table) -> Iterator[pa.Table]:
    """Cut a table into pieces of about `_BLOCK_CELLS`, in order, without a copy."""
    most = max(1, _BLOCK_CELLS // max(1, table.num_columns))
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in table.to_batches(max_chunksize=most):
        if rows + batch.num_rows > most:
            yield pa.Table.from_batches(batches)
            batches, rows = [], 0
        batches.append(batch)
        rows += batch.num_rows
    if batches:
        yield pa.Table.from_batches(batches)


def _text(rows: pa.Table, *, header: bool = False) -> pa.Buffer:
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
