"""The body of a request, or the file in it, as blocks of checked rows."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.contract.cells import whole_id
from lightmodel.contract.columns import Dialect
from lightmodel.errors import ConfigError, DataError, TooLarge
from lightmodel.tables.byte_stream import (
    AT_ONCE,
    Form,
    Pieces,
    Utf8,
    form_of,
    gathered,
    peeked,
    refuse,
    unpacked,
)
from lightmodel.tables.check import conform
from lightmodel.tables.csv_blocks import CsvBlocks
from lightmodel.tables.encode import feature_matrix, plain_values
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_readers import RowReader
from lightmodel.tables.row_rules import Block, RowRules

_FIRST = 4096
_BYTES = 8  # of a number


@dataclass(frozen=True)
class Limits:
    """What a request may have."""

    unpacked: int  # bytes of a text, after gzip
    whole: int  # bytes of a format that cannot be read in blocks
    columns: int  # in the header


@dataclass(frozen=True)
class BodyReader:
    """Reads bodies for one contract, whatever their form, by the dialect of its table."""

    rules: RowRules
    reader: RowReader
    dialect: Dialect
    limits: Limits

    def read(self, pieces: Pieces, form: Form | None = None, charset: str = "") -> Iterator[Block]:
        """Return blocks of rows; there is at least one row in all.

        Args:
            pieces: of the body as they arrive.
            form: None: detected from the beginning.
            charset: of a text, where the sender names it.

        Raises:
            DataError: the body is no table, or none that fits the contract.
            TooLarge: it exceeds a limit.
        """
        first, pieces = peeked(unpacked(pieces, self.limits.unpacked), _FIRST)
        if not first.strip():
            raise DataError("the body is empty", hint="send a header and at least one row")
        refuse(first, "the body")
        found = form_of(first)
        if found in {"parquet", "excel"}:
            return iter([self._file(pieces, found)])
        form = form or found
        text = self._text(pieces, form, charset)
        if form == "csv":
            return CsvBlocks(self.rules, self.reader, self.dialect, self.limits.columns).read(text)
        records = JsonBlocks(self.rules, frozenset(self.dialect.na_values))
        if form == "json_lines":
            return records.read_lines(text)
        return iter([records.read(self._whole(text, "JSON"))])

    def _text(self, pieces: Pieces, form: Form, charset: str) -> Pieces:
        fallback = self.dialect.encoding.replace("utf-8", "") if form == "csv" else ""
        try:
            return Utf8(gathered(pieces, AT_ONCE), told=charset, fallback=fallback)
        except ConfigError as error:
            if not charset:
                raise
            raise DataError(error.message, hint=error.hint) from None

    def _whole(self, pieces: Pieces, what: str) -> bytes:
        held = bytearray()
        for piece in pieces:
            held += piece
            if len(held) > self.limits.whole:
                raise TooLarge(
                    f"{what} is read whole, and this has more than {self.limits.whole >> 20:,} MB",
                    hint="send CSV or JSON Lines, which are read as they arrive",
                )
        return bytes(held)

    def _file(self, pieces: Pieces, form: Form) -> Block:
        """Read what needs its end to be read, by way of a file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"body.{form}"
            path.write_bytes(self._whole(pieces, form.title()))
            _refuse_bombs(path, form, self.limits.unpacked)
            table = self._named_table(path)
        return self._block_of(table)

    def _named_table(self, path: Path) -> pa.Table:
        """Read a file whose first row holds names, or which has the columns that training had."""
        from lightmodel.tables.reading import read_table  # with openpyxl, if need be

        own = self.dialect
        named = DataSection(header="yes", na_values=own.na_values)
        if not own.columns:
            return read_table((path,), named)
        with suppress(DataError):
            table = read_table((path,), named)
            if self.rules.places.keys() <= set(table.column_names):
                return table
            if tuple(table.column_names) == own.header:
                return table.rename_columns(list(own.columns))
        unnamed = DataSection(header="no", columns=own.columns, na_values=own.na_values)
        return read_table((path,), unnamed)

    def _block_of(self, table: pa.Table) -> Block:
        contract = self.rules.contract
        self.rules.plan(tuple(table.column_names))
        conformed = conform(table, contract, with_target=False)
        if conformed.violations:
            nothing = np.empty((table.num_rows, 0))
            return Block(nothing, None, conformed.violations, {}, conformed.extra)
        ids = None
        if contract.id and contract.id.name in table.column_names:
            ids = list(map(whole_id, plain_values(table[contract.id.name])))
        features = feature_matrix(conformed.table, contract)
        return Block(features, ids, (), conformed.unseen, conformed.extra)


def _refuse_bombs(path: Path, form: Form, most: int) -> None:
    """Refuse what is small only because it is packed.

    Raises:
        TooLarge: it holds more than `most` bytes.
    """
    from pyarrow import parquet

    try:
        if form == "excel":
            with zipfile.ZipFile(path) as archive:
                held = sum(member.file_size for member in archive.infolist())
        else:
            about = parquet.read_metadata(path)
            held = about.num_rows * about.num_columns * _BYTES
    except (pa.ArrowException, zipfile.BadZipFile, OSError):
        return  # whoever reads it says what is wrong
    if held > most:
        raise TooLarge(f"the file unpacks to more than {most >> 20:,} MB", hint="send it in parts")
