"""Read the body of a request, or the file in it, as blocks of validated rows."""

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightmodel.config import DataSection
from lightmodel.contract.cells import json_id
from lightmodel.contract.columns import Dialect
from lightmodel.errors import ConfigError, DataError, TooLarge
from lightmodel.tables.byte_stream import (
    CHUNK_BYTES,
    Chunks,
    Form,
    Utf8Stream,
    decompress,
    detect_form,
    peek,
    rechunk,
    refuse_non_table,
)
from lightmodel.tables.csv_blocks import CsvBlocks
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.json_forms import JsonSizes
from lightmodel.tables.row_readers import RowReader
from lightmodel.tables.row_rules import Block, RowRules
from lightmodel.tables.workbooks import WorkbookLimits

if TYPE_CHECKING:
    import pyarrow as pa

    from lightmodel.tables.base import TableRead

_PEEKED_BYTES = 4096
_BATCH_ROWS = 1 << 14
_MEMORY_FACTOR = 2  # of max_buffered_mb: a table is in memory twice, as read and as features
_BYTES_PER_NUMBER = 8
_JSON_BLOCK = range(16 << 10, 512 << 10)  # bytes, by serve.max_buffered_mb


@dataclass(frozen=True)
class Limits:
    """The maximal sizes of a request."""

    decompressed: int  # bytes of a text, after gzip
    buffered: int  # bytes of a format that cannot be read in blocks
    columns: int  # in the header

    @property
    def answer(self) -> int:
        """The bytes of an answer: with the body and a block, below four times `buffered`."""
        return 2 * self.buffered


@dataclass(frozen=True)
class BodyReader:
    """Reads request bodies of any format for one contract, by the dialect of its training table."""

    rules: RowRules
    reader: RowReader
    dialect: Dialect
    limits: Limits

    @cached_property
    def json_blocks(self) -> JsonBlocks:
        """The reader of JSON; it decodes little at once, for objects take fifty times the bytes of text."""
        block = min(max(self.limits.buffered >> 7, _JSON_BLOCK.start), _JSON_BLOCK.stop)
        sizes = JsonSizes(block, self.limits.columns)
        return JsonBlocks(self.rules, frozenset(self.dialect.na_values), sizes)

    def read(self, chunks: Chunks, form: Form | None = None, charset: str = "") -> Iterator[Block]:
        """Return blocks of rows; there is at least one row in all.

        Args:
            chunks: of the body, as they arrive.
            form: the format; None means that it is detected from the beginning.
            charset: the encoding of a text, if the sender names one.

        Raises:
            DataError: the body is not a table that fits the contract.
            TooLarge: it exceeds a limit.
        """
        first, chunks = peek(decompress(chunks, self.limits.decompressed), _PEEKED_BYTES)
        if not first.strip():
            raise DataError("the body is empty", hint="send a header and at least one row")
        refuse_non_table(first, "the body")
        detected = detect_form(first)
        if detected in {"parquet", "excel"}:
            return self._file(chunks, detected)
        form = form or detected
        text = self._text(chunks, form, charset)
        if form == "csv":
            return CsvBlocks(self.rules, self.reader, self.dialect, self.limits.columns).read(text)
        if form == "json_lines":
            return self.json_blocks.read_lines(text)
        return self.json_blocks.read_blocks(self._whole(text, "JSON"))

    def _text(self, chunks: Chunks, form: Form, charset: str) -> Chunks:
        fallback = self.dialect.encoding.replace("utf-8", "") if form == "csv" else ""
        try:
            return Utf8Stream(rechunk(chunks, CHUNK_BYTES), encoding=charset, fallback=fallback)
        except ConfigError as error:
            if not charset:
                raise
            raise DataError(error.message, hint=error.hint) from None

    def _whole(self, chunks: Chunks, what: str) -> bytearray:
        buffer = bytearray()
        for chunk in chunks:
            buffer += chunk
            if len(buffer) > self.limits.buffered:
                raise TooLarge(
                    f"{what} is buffered whole, and the limit is {self.limits.buffered >> 20:,} MB",
                    hint="send CSV or JSON Lines, which are read as they arrive",
                )
        return buffer

    def _file(self, chunks: Chunks, form: Form) -> Iterator[Block]:
        """Read a format that needs random access, through a temporary file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"body.{form}"
            path.write_bytes(self._whole(chunks, form.title()))
            _refuse_bombs(path, form, self.limits)
            read = self._named_table(path)
        return self._blocks_of(read)

    def _named_table(self, path: Path) -> "TableRead":
        """Read a file by the names in its first row, or else by the column order of training."""
        from lightmodel.tables.reading import read_source  # imports Arrow, which is slow

        dialect = self.dialect
        limits = WorkbookLimits(_MEMORY_FACTOR * self.limits.buffered, self.limits.columns)
        named = DataSection(header="yes", na_values=dialect.na_values)
        if not dialect.columns:
            return read_source((path,), named, limits)
        try:
            read = read_source((path,), named, limits)
            if self.rules.places.keys() <= set(read.table.column_names):
                return read
            if tuple(read.table.column_names) == dialect.header:
                return replace(read, table=read.table.rename_columns(list(dialect.columns)))
        except TooLarge:
            raise
        except DataError:
            pass  # the first row may be data
        unnamed = DataSection(header="no", columns=dialect.columns, na_values=dialect.na_values)
        return read_source((path,), unnamed, limits)

    def _blocks_of(self, read: "TableRead") -> Iterator[Block]:
        """Yield the rows of a validated table, a few at a time: their answers take more memory."""
        from lightmodel.tables.check import validate_table  # as above
        from lightmodel.tables.encode import feature_matrix, json_values

        contract, table = self.rules.contract, read.table
        self.rules.map_columns(tuple(table.column_names))
        validated = validate_table(table, contract, with_target=False)
        if validated.violations:
            no_features = np.empty((table.num_rows, 0))
            yield Block(no_features, None, validated.violations, {}, validated.extra)
            return
        ids = contract.id.name if contract.id and contract.id.name in table.column_names else ""
        unseen, lost = validated.unseen, read.lost
        for start in range(0, table.num_rows, _BATCH_ROWS):
            part = validated.table.slice(start, _BATCH_ROWS)
            named = table[ids].slice(start, _BATCH_ROWS) if ids else None
            yield Block(
                feature_matrix(part, contract),
                None if named is None else list(map(json_id, json_values(named))),
                (),
                unseen,
                validated.extra,
                lost,
            )
            unseen, lost = {}, {}


def _refuse_bombs(path: Path, form: Form, limits: Limits) -> None:
    """Refuse a file that is small only because it is compressed, before any of it is in memory.

    Raises:
        TooLarge: it would take too much memory, or has too many columns.
    """
    from pyarrow import ArrowException

    most = _MEMORY_FACTOR * limits.buffered
    try:
        size = _excel_bytes(path) if form == "excel" else _parquet_bytes(path, limits.columns, most)
    except (ArrowException, zipfile.BadZipFile, OSError):
        return  # the reader reports what is wrong
    if size > most:
        raise TooLarge(f"the file decompresses to over {most >> 20:,} MB", hint="send it in parts")


def _excel_bytes(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def _parquet_bytes(path: Path, columns: int, most: int) -> int:
    """Return the bytes of a table in memory; texts are counted until there are more than `most`."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        metadata = file.metadata
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
    if metadata.num_columns > columns:
        raise TooLarge(f"the file has more than {columns:,} columns (serve.max_columns)")
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    size: int = max(
        metadata.num_rows * metadata.num_columns * _BYTES_PER_NUMBER,
        sum(group.total_byte_size for group in groups),
    )
    if size > most or not texts:
        return size
    # A text that is stored once may stand in every row: as dictionaries they are counted, not copied.
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=texts):
            size += sum(map(_text_bytes, batch.columns))
            if size > most:
                break
    return size


def _is_text(kind: "pa.DataType") -> bool:
    from pyarrow import types

    return any(
        is_kind(kind)
        for is_kind in (
            *(types.is_string, types.is_large_string),
            *(types.is_binary, types.is_large_binary),
        )
    )


def _text_bytes(column: "pa.Array") -> int:
    import pyarrow.compute as pc
    from pyarrow import types

    if not types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(lengths).as_py() or 0)
