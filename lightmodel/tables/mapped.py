"""Tables whose cells are in temporary files that are mapped into memory, for what memory cannot hold.

What is made of a column in such a file goes into one too (`moved_with`), so that all other code works on
tables, wherever these are.
"""

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from lightmodel.contract.cells import Mask
from lightmodel.tables.mappings import folder_of, mapped, unnamed_file

# of all columns together; each chunk of each costs some 500 bytes of memory
_CHUNK_BYTES = 16 << 20


def _addresses(column: pa.ChunkedArray) -> Iterator[int]:
    """Yield the address of the cells of each chunk that has some."""
    for chunk in column.chunks:
        yield from [one.address for one in chunk.buffers() if one is not None and one.size][-1:]


def _folder_of(columns: Iterable[pa.ChunkedArray]) -> Path | None:
    """Return the folder of a file in which cells of one of these columns are, if any."""
    homes = (folder_of(next(_addresses(column), None)) for column in columns)
    return next(filter(None, homes), None)


def mapped_table(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path) -> pa.Table:
    """Return the rows of batches of one schema as a table whose cells are in a file of `folder`.

    Raises:
        LightModelError: the file cannot be written, for the disk is full, say.
    """
    with unnamed_file(folder) as file:
        with pa.ipc.new_file(pa.PythonFile(file, "w"), schema) as writer:
            for batch in _joined(batches):
                writer.write_batch(batch)
        file.flush()
        cells = pa.py_buffer(mapped(file, folder, mmap.ACCESS_READ))
    return pa.ipc.open_file(cells).read_all()


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of small batches in larger ones."""
    parts, size = list[pa.RecordBatch](), 0
    for batch in batches:
        parts.append(batch)
        size += batch.nbytes
        if size >= _CHUNK_BYTES:
            yield pa.concat_batches(parts)
            parts, size = [], 0
    if parts:
        yield pa.concat_batches(parts)


def moved_with(values: pa.ChunkedArray, before: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return what was made of a column, in a mapped file if that was in one."""
    home = _folder_of([before])
    if home is None or _folder_of([values]):
        return values
    schema = pa.schema([("", values.type)])
    batches = (pa.record_batch([chunk], schema=schema) for chunk in values.chunks)
    return mapped_table(batches, schema, home).column(0)


def rows_where(table: pa.Table, mask: Mask) -> pa.Table:
    """Return the rows of a (rows,) mask, in a mapped file if the table is in one."""
    home = _folder_of(table.columns)
    if home is None:
        return table.filter(pa.array(mask))
    return mapped_table(_filtered(table, mask), table.schema, home)


def _filtered(table: pa.Table, mask: Mask) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in table.to_reader():
        yield batch.filter(pa.array(mask[start : start + batch.num_rows]))
        start += batch.num_rows
