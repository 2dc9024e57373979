"""Read the rows of a Parquet file by batches that take little memory, whatever the file holds."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet, types

from lightmodel.errors import DataError, TooLarge
from lightmodel.tables.parquet_pages import Body, ChunkSize, measure_groups

_BATCH_ROWS = 1 << 14  # at most
_BATCH_SHARE = 4  # of the limit: a batch is in memory as read, as plain types and as features
_TEXT_SHARE = 16  # of the limit: the texts of a block, for which JSON reserves 12 times as much
_FEWEST_ROWS = 1 << 10  # of a batch; texts that allow only fewer take too long to decode
_ENTRY_BYTES, _PROBE_BYTES = 32, 160  # of a text in a dictionary, and if the texts are looked up
_ANSWER_BYTES = 100  # of a row in the answer, for which two times the limit are reserved
_NUMBER_BYTES, _TEXT_BYTES = 8, 64  # of a cell, the texts as objects of Python


class ParquetLimits(Protocol):
    """The maximal sizes of a body: `bodies.Limits` has them."""

    @property
    def decompressed(self) -> int:
        """The bytes of all texts."""

    @property
    def buffered(self) -> int:
        """The bytes of the body, on which depends what may be in memory at once."""

    @property
    def columns(self) -> int:
        """The number of columns."""


@dataclass(frozen=True)
class Columns:
    """The columns to read, and how they are named.

    Attributes:
        places: in the file.
        stored: their names in the file.
        names: the same as the contract writes them; "" for a column without a name.
        final: the names of those that have one, as the contract knows them.
        extra: columns that the contract does not know.
    """

    places: tuple[int, ...]
    stored: tuple[str, ...]
    names: tuple[str, ...]
    final: tuple[str, ...]
    extra: tuple[str, ...]


class Batches:
    """The batches of a file, and what they take in memory."""

    def __init__(self, file: parquet.ParquetFile, body: Body, limits: ParquetLimits) -> None:
        self._file, self._body, self._limits = file, body, limits
        self._rows, self._most = _BATCH_ROWS, limits.buffered
        self.schema: pa.Schema = file.schema_arrow

    def refuse_large_groups(self, columns: Columns) -> None:
        """Decide how many rows to read at once, from the types of the columns and from their pages.

        Raises:
            TooLarge: the pages to be held at once, a row, or a text, take too much memory.
        """
        width = sum(_cell_bytes(self.schema.field(at).type) for at in columns.places)
        if width > self._most:
            raise too_large("a row takes", self._most, "leave out its widest columns")
        self._rows = max(1, min(_BATCH_ROWS, self._most // _BATCH_SHARE // max(1, width)))
        rows = self._file.metadata.num_rows
        most = max(self._most // 2, 2 * self._most - rows * _ANSWER_BYTES)
        groups = 0
        for at, sizes in enumerate(measure_groups(self._body)):
            groups += 1
            if len(sizes) != len(self.schema):
                raise DataError("a row group lacks columns", hint="fetch or export the file again")
            chunks = {place: size for place in columns.places if (size := sizes[place])}
            if sum(self._held(place, size) for place, size in chunks.items()) > most:
                hint = "write smaller row groups (row_group_size), or smaller pages"
                raise too_large(f"the pages of row group {groups} take", most, hint)
            for place, size in chunks.items():
                if _is_text(self.schema.field(place).type):
                    self._refuse_long_texts(at, place, size)
        if groups != self._file.metadata.num_row_groups:
            raise DataError("a row group is missing", hint="fetch or export the file again")

    def _held(self, place: int, size: ChunkSize) -> int:
        """Return the bytes of a column chunk that are in memory at once."""
        kind = self.schema.field(place).type
        values = size.entries + (size.plain_values if types.is_dictionary(kind) else 0)
        return size.page + size.dictionary + (values * _ENTRY_BYTES if _is_text(kind) else 0)

    def _refuse_long_texts(self, group: int, place: int, size: ChunkSize) -> None:
        """Reduce the rows of a batch where one text, stored once, may stand in all of them."""
        most, longest = self._most // _BATCH_SHARE, size.page if size.repeats else size.dictionary
        if size.plain_bytes:
            self._rows = max(1, min(self._rows, most * size.plain_values // size.plain_bytes))
        if longest * self._rows <= most:
            return
        is_unique = self.schema.names.count(self.schema.names[place]) == 1
        if is_unique and not size.repeats and not size.starts_plain:
            if size.dictionary + size.entries * _PROBE_BYTES > 2 * self._most:
                raise too_large("a dictionary takes", 2 * self._most, "write smaller row groups")
            longest = self._longest_text(group, place)
        fitting = most // max(1, longest)
        if fitting < min(_FEWEST_ROWS, self._file.metadata.num_rows) and not size.repeats:
            what = f"texts of {longest:,} bytes, each stored once for many rows, may take"
            raise too_large(what, most, "leave the column out, or send rows with long texts as CSV")
        self._rows = max(1, min(self._rows, fitting))

    def _longest_text(self, group: int, place: int) -> int:
        """Return the bytes of the longest text in the dictionary of a column chunk."""
        name = self.schema.names[place]
        source, metadata = pa.BufferReader(self._body), self._file.metadata
        file = parquet.ParquetFile(source, metadata=metadata, read_dictionary=[name])
        for batch in file.iter_batches(_FEWEST_ROWS, row_groups=[group], columns=[name]):
            dictionary = batch.column(name).dictionary
            if len(dictionary):  # Arrow has read all of it when it needs the first text
                return int(pc.max(pc.binary_length(dictionary)).as_py())
        return 0

    def exceeds_int64(self, columns: Columns, at: int) -> bool:
        """Return whether a column holds integers beyond int64."""
        kind = self.schema.field(columns.places[at]).type
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if not types.is_uint64(kind) and not (types.is_decimal(kind) and kind.scale <= 0):
            return False
        with suppress(pa.ArrowInvalid):
            for batch in self._file.iter_batches(self._rows, columns=[columns.stored[at]]):
                decoded(batch.column(columns.stored[at])).cast(pa.int64())
            return False
        return True

    def tables(self, columns: Columns) -> Iterator[pa.Table]:
        """Yield all rows, in tables of some rows; small row groups are joined.

        Raises:
            ArrowException: the file is damaged.
            TooLarge: its texts are longer than a body may be.
        """
        parts, rows, size, total = list[pa.RecordBatch](), 0, 0, 0
        batches = map(_decoded_batch, self._batches(columns))
        for batch, texts in chain.from_iterable(map(self._split, batches)):
            total += texts
            if total > self._limits.decompressed:
                raise TooLarge(
                    f"the texts take over {self._limits.decompressed >> 20:,} MB (serve.max_body_mb)",
                    hint="send the file in parts",
                )
            full = size + texts > self._most // _TEXT_SHARE or rows + batch.num_rows > self._rows
            if full and parts:
                yield _table(parts)
                parts, rows, size = [], 0, 0
            parts.append(batch)
            rows, size = rows + batch.num_rows, size + texts
        if parts:
            yield _table(parts)

    def _split(self, batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Yield a batch in parts with few texts, and the bytes of those."""
        texts = sum(column.nbytes for column in batch.columns if _is_text(column.type))
        if texts <= self._most // _TEXT_SHARE or batch.num_rows < 2:
            yield batch, texts
            return
        half = batch.num_rows // 2
        yield from self._split(batch.slice(0, half))
        yield from self._split(batch.slice(half))

    def _batches(self, columns: Columns) -> Iterator[pa.RecordBatch]:
        every = "" in columns.names
        names = None if every else list(columns.stored)
        chosen: Sequence[int | str] = columns.places if every else columns.stored
        for batch in self._file.iter_batches(self._rows, columns=names):
            if batch.num_rows:
                yield batch.select(list(chosen))


def _cell_bytes(kind: pa.DataType) -> int:
    """Return the bytes of a cell; those of a text are counted when it is read."""
    try:
        return max(_NUMBER_BYTES, int(kind.bit_width) >> 3)
    except ValueError:  # the type has no fixed width
        return _TEXT_BYTES


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return any(
        is_kind(kind)
        for is_kind in (
            *(types.is_string, types.is_large_string, types.is_string_view),
            *(types.is_binary, types.is_large_binary, types.is_binary_view),
        )
    )


def decoded(column: pa.Array) -> pa.Array:
    """Return a column with its values in place of references to a dictionary."""
    return column.dictionary_decode() if types.is_dictionary(column.type) else column


def _decoded_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*map(decoded, batch.columns)], names=batch.schema.names)


def _table(parts: Sequence[pa.RecordBatch]) -> pa.Table:
    table = pa.Table.from_batches(parts)
    table = table.combine_chunks() if len(parts) > 1 else table
    table.validate(full=True)  # Parquet does not guarantee that its texts are UTF-8
    return table


def too_large(what: str, most: int, hint: str) -> TooLarge:
    """Return the error for a part of a file that takes over `most` bytes."""
    return TooLarge(f"{what} over {most >> 10:,} KB, the limit by serve.max_buffered_mb", hint=hint)
