"""The body of a request, or the file in it, as blocks of checked rows."""

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import orjson
import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.errors import DataError, TooLarge
from lightmodel.tables.byte_stream import Pieces, as_utf8, gathered, peeked, unpacked
from lightmodel.tables.check import conform
from lightmodel.tables.csv_blocks import CsvBlocks
from lightmodel.tables.detection import refuse
from lightmodel.tables.encode import feature_matrix, plain_rows
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_reader import RowReader
from lightmodel.tables.row_rules import Block, RowRules

Form = Literal["csv", "json", "json_lines", "parquet", "excel"]

_AT_ONCE = 256 << 10  # what fits the processor's caches is read soonest
_FIRST = 4096
_BYTES = 8  # of a number


@dataclass(frozen=True)
class Limits:
    """What a request may have.

    Attributes:
        unpacked: bytes of a text, after gzip.
        whole: bytes of a format that cannot be read in blocks.
        columns: in the header.
    """

    unpacked: int
    whole: int
    columns: int


@dataclass(frozen=True)
class BodyReader:
    """Reads bodies for one contract, whatever their form."""

    rules: RowRules
    reader: RowReader
    options: DataSection
    limits: Limits

    def read(self, pieces: Pieces, form: Form | None = None) -> Iterator[Block]:
        """Give blocks of rows; there is at least one row in all.

        Args:
            pieces: of the body as they arrive.
            form: None: found out from the beginning.

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
        text = as_utf8(gathered(pieces, _AT_ONCE), self.options.encoding)
        if form == "csv":
            return CsvBlocks(self.rules, self.reader, self.options, self.limits.columns).read(text)
        records = JsonBlocks(self.rules, frozenset(self.options.missing))
        if form == "json_lines":
            return records.read_lines(text)
        return iter([records.read(self._whole(text, "JSON"))])

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
        from lightmodel.tables.reading import read_table  # with pandas, if it is there

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"body.{form}"
            path.write_bytes(self._whole(pieces, form.title()))
            _refuse_bombs(path, form, self.limits.unpacked)
            table = read_table((path,), self.options)
        return self._block_of(table)

    def _block_of(self, table: pa.Table) -> Block:
        contract = self.rules.contract
        self.rules.plan(tuple(table.column_names))
        conformed = conform(table, contract, with_target=False)
        if conformed.violations:
            nothing = np.empty((table.num_rows, 0))
            return Block(nothing, None, conformed.violations, {}, conformed.extra)
        ids = None
        if contract.id and contract.id.name in table.column_names:
            ids = [row[contract.id.name] for row in plain_rows(table.select([contract.id.name]))]
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


def form_of(first: bytes) -> Form:
    """Say what a body is by its beginning, of some kilobytes."""
    if first.startswith(b"PAR1"):
        return "parquet"
    if first.startswith(b"PK\x03\x04"):
        return "excel"
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "json"
    if not text.startswith(b"{"):
        return "csv"
    line, end, _ = text.partition(b"\n")
    return "json_lines" if end and _is_record(line) else "json"


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
