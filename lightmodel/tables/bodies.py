"""Read the body of a request, or the file in it, as blocks of validated rows."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
from lightmodel.tables.check import validate_table
from lightmodel.tables.csv_blocks import CsvBlocks
from lightmodel.tables.encode import feature_matrix, json_values
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_readers import RowReader
from lightmodel.tables.row_rules import Block, RowRules

_PEEKED_BYTES = 4096
_BATCH_ROWS = 1 << 14
_MEMORY_FACTOR = 2  # of max_buffered_mb: a table is in memory twice, as read and as features
_BYTES_PER_NUMBER = 8


@dataclass(frozen=True)
class Limits:
    """The maximal sizes of a request."""

    decompressed: int  # bytes of a text, after gzip
    buffered: int  # bytes of a format that cannot be read in blocks
    columns: int  # in the header


@dataclass(frozen=True)
class BodyReader:
    """Reads request bodies of any format for one contract, by the dialect of its training table."""

    rules: RowRules
    reader: RowReader
    dialect: Dialect
    limits: Limits

    @cached_property
    def json_blocks(self) -> JsonBlocks:
        """The reader of JSON, also for a body that is known to be small JSON in UTF-8."""
        return JsonBlocks(self.rules, frozenset(self.dialect.na_values))

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
            return iter([self._file(chunks, detected)])
        form = form or detected
        text = self._text(chunks, form, charset)
        if form == "csv":
            return CsvBlocks(self.rules, self.reader, self.dialect, self.limits.columns).read(text)
        if form == "json_lines":
            return self.json_blocks.read_lines(text)
        return iter([self.json_blocks.read(self._whole(text, "JSON"))])

    def _text(self, chunks: Chunks, form: Form, charset: str) -> Chunks:
        fallback = self.dialect.encoding.replace("utf-8", "") if form == "csv" else ""
        try:
            return Utf8Stream(rechunk(chunks, CHUNK_BYTES), encoding=charset, fallback=fallback)
        except ConfigError as error:
            if not charset:
                raise
            raise DataError(error.message, hint=error.hint) from None

    def _whole(self, chunks: Chunks, what: str) -> bytes:
        buffer = bytearray()
        for chunk in chunks:
            buffer += chunk
            if len(buffer) > self.limits.buffered:
                raise TooLarge(
                    f"{what} is buffered whole, and the limit is {self.limits.buffered >> 20:,} MB",
                    hint="send CSV or JSON Lines, which are read as they arrive",
                )
        return bytes(buffer)

    def _file(self, chunks: Chunks, form: Form) -> Block:
        """Read a format that needs random access, through a temporary file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"body.{form}"
            path.write_bytes(self._whole(chunks, form.title()))
            _refuse_bombs(path, form, self.limits)
            table = self._named_table(path)
        return self._block_of(table)

    def _named_table(self, path: Path) -> pa.Table:
        """Read a file by the names in its first row, or else by the column order of training."""
        from lightmodel.tables.reading import read_table  # may import openpyxl, which is slow

        dialect = self.dialect
        named = DataSection(header="yes", na_values=dialect.na_values)
        if not dialect.columns:
            return read_table((path,), named)
        with suppress(DataError):
            table = read_table((path,), named)
            if self.rules.places.keys() <= set(table.column_names):
                return table
            if tuple(table.column_names) == dialect.header:
                return table.rename_columns(list(dialect.columns))
        unnamed = DataSection(header="no", columns=dialect.columns, na_values=dialect.na_values)
        return read_table((path,), unnamed)

    def _block_of(self, table: pa.Table) -> Block:
        contract = self.rules.contract
        self.rules.map_columns(tuple(table.column_names))
        validated = validate_table(table, contract, with_target=False)
        if validated.violations:
            no_features = np.empty((table.num_rows, 0))
            return Block(no_features, None, validated.violations, {}, validated.extra)
        ids = None
        if contract.id and contract.id.name in table.column_names:
            ids = list(map(json_id, json_values(table[contract.id.name])))
        features = feature_matrix(validated.table, contract)
        return Block(features, ids, (), validated.unseen, validated.extra)


def _refuse_bombs(path: Path, form: Form, limits: Limits) -> None:
    """Refuse a file that is small only because it is compressed, before any of it is in memory.

    Raises:
        TooLarge: it would take too much memory, or has too many columns.
    """
    most = _MEMORY_FACTOR * limits.buffered
    try:
        size = _excel_bytes(path) if form == "excel" else _parquet_bytes(path, limits.columns, most)
    except (pa.ArrowException, zipfile.BadZipFile, OSError):
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


def _is_text(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            *(pa.types.is_string, pa.types.is_large_string),
            *(pa.types.is_binary, pa.types.is_large_binary),
        )
    )


def _text_bytes(column: pa.Array) -> int:
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(lengths).as_py() or 0)
