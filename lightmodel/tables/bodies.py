"""Read the body of a request, or the file in it, as blocks of validated rows."""

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lightmodel.contract.columns import Dialect
from lightmodel.errors import ConfigError, DataError, TooLarge
from lightmodel.tables.blocks import Block
from lightmodel.tables.byte_stream import CHUNK_BYTES, Chunks, Utf8Stream, decompress, peek, rechunk
from lightmodel.tables.csv_blocks import CsvBlocks
from lightmodel.tables.file_forms import Form, detect_form, is_json, refuse_non_table
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.json_forms import JsonSizes
from lightmodel.tables.row_readers import RowReader
from lightmodel.tables.row_rules import RowRules
from lightmodel.tables.workbooks import WorkbookLimits

if TYPE_CHECKING:
    from lightmodel.tables.parquet_blocks import ParquetBlocks

_PEEKED_BYTES = 4096
_MEMORY_FACTOR = 2  # of max_buffered_mb: a table is in memory twice, as read and as features
_JSON_BLOCK = range(16 << 10, 512 << 10)  # bytes, by serve.max_buffered_mb


@dataclass(frozen=True)
class Limits:
    """The maximal sizes of a request."""

    decompressed: int  # bytes of a text, after gzip
    buffered: int  # bytes of a body that is received before it is read: not CSV or JSON Lines
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
    drops_blank: bool = False  # rows in which no cell has a value

    @cached_property
    def json_blocks(self) -> JsonBlocks:
        """The reader of JSON; it decodes little at once, for objects take fifty times the bytes of text."""
        block = min(max(self.limits.buffered >> 7, _JSON_BLOCK.start), _JSON_BLOCK.stop)
        sizes = JsonSizes(block, self.limits.columns)
        missing = frozenset(self.dialect.na_values)
        return JsonBlocks(self.rules, missing, sizes, self.drops_blank)

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
        form, chunks = self.open(chunks, form)
        if form == "parquet":
            return self.parquet_blocks().read(self._whole(chunks, "Parquet"))
        if form == "excel":
            return self._excel(chunks)
        text = self.text(chunks, form, charset)
        if form == "csv":
            return self.csv_blocks.read(text)
        if form == "json_lines":
            return self.json_blocks.read_lines(text)
        return self.json_blocks.read_blocks(self._whole(text, "JSON"))

    def open(self, chunks: Chunks, form: Form | None = None) -> tuple[Form, Chunks]:
        """Return the format, and the decompressed chunks; see `read`."""
        first, chunks = peek(decompress(chunks, self.limits.decompressed), _PEEKED_BYTES)
        if not first.strip():
            raise DataError("the body is empty", hint="send a header and at least one row")
        refuse_non_table(first, "the body")
        detected = detect_form(first)
        is_binary = detected in {"parquet", "excel"}
        if form is None or is_binary or (form == "csv" and is_json(first)):
            form = detected
        return form, chunks

    @cached_property
    def csv_blocks(self) -> CsvBlocks:
        """The reader of CSV."""
        columns = self.limits.columns
        return CsvBlocks(self.rules, self.reader, self.dialect, columns, self.drops_blank)

    def text(self, chunks: Chunks, form: Form, charset: str = "") -> Chunks:
        """Return the chunks of a text as UTF-8.

        Raises:
            DataError: the sender names an encoding that is unknown.
        """
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

    def parquet_blocks(self) -> "ParquetBlocks":
        """Return the reader of Parquet."""
        from lightmodel.tables.parquet_blocks import ParquetBlocks  # imports Arrow, which is slow

        return ParquetBlocks(self.rules, self.dialect, self.limits, self.drops_blank)

    def _excel(self, chunks: Chunks) -> Iterator[Block]:
        """Read a workbook, which needs random access, through a temporary file."""
        from lightmodel.tables.excel_blocks import ExcelBlocks  # as above

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "body.excel"
            path.write_bytes(self._whole(chunks, "Excel"))
            _refuse_bombs(path, _MEMORY_FACTOR * self.limits.buffered)
            limits = WorkbookLimits(_MEMORY_FACTOR * self.limits.buffered, self.limits.columns)
            return ExcelBlocks(self.rules, self.dialect, self.drops_blank).read(path, limits)


def _refuse_bombs(path: Path, most: int) -> None:
    """Refuse a workbook that is small only because it is compressed, before any of it is in memory.

    Raises:
        TooLarge: it would take too much memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError):
        return  # the reader reports what is wrong
    if size > most:
        raise TooLarge(f"the file decompresses to over {most >> 20:,} MB", hint="send it in parts")
