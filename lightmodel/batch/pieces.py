"""Cut the tables of an input into pieces of whole rows, each of which any process can read.

The parent reads what depends on the whole of a file (its compression, encoding, header and columns);
what takes long, the parsing of cells, is left to whoever scores the piece.
"""

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lightmodel.errors import ContractViolation, DataError, TooLarge
from lightmodel.tables.blocks import Block
from lightmodel.tables.bodies import BodyReader
from lightmodel.tables.byte_stream import CHUNK_BYTES, Chunks, rechunk
from lightmodel.tables.csv_blocks import RowsPlan
from lightmodel.tables.csv_header import LONGEST_ROW
from lightmodel.tables.json_records import whole_lines

Advance = Callable[[int], None]


class Piece(Protocol):
    """Some rows of a table, which can be sent to another process."""

    def blocks(self, reader: BodyReader) -> Iterator[Block]:
        """Return blocks of these rows.

        Raises:
            DataError: they cannot be read.
        """
        ...


@dataclass(frozen=True)
class FilePart:
    """A piece of a file: its place among the files, and its name for messages."""

    file: int
    name: str
    piece: Piece


@contextmanager
def in_file(name: str) -> Iterator[None]:
    """Name the file in the errors about its rows."""
    try:
        yield
    except ContractViolation as error:
        raise ContractViolation(error.violations, what=name, hint=error.hint) from None
    except DataError as error:
        raise type(error)(f"{name}: {error.message}", hint=error.hint) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{name} cannot be read: {reason}", hint="check its permissions") from None


@dataclass(frozen=True)
class CsvPiece:
    """Whole rows of a CSV, as UTF-8."""

    plan: RowsPlan
    text: bytes

    def blocks(self, reader: BodyReader) -> Iterator[Block]:
        """Return blocks of these rows; see `Piece`."""
        return reader.csv_blocks.read_rows(self.plan, _sliced(self.text))


@dataclass(frozen=True)
class LinesPiece:
    """Whole lines of JSON; `lines` of the file come before them, and perhaps it `begins` with them."""

    text: bytes
    lines: int
    begins: bool

    def blocks(self, reader: BodyReader) -> Iterator[Block]:
        """Return blocks of these rows; see `Piece`."""
        chunks = _sliced(self.text)
        return reader.json_blocks.read_lines(chunks, self.lines, begins=self.begins)


@dataclass(frozen=True)
class ArrowPiece:
    """Rows in Arrow's format for streams; `extra` as in `Block`."""

    stream: bytes
    extra: tuple[str, ...]

    def blocks(self, reader: BodyReader) -> Iterator[Block]:
        """Return blocks of these rows; see `Piece`."""
        from pyarrow import ipc  # slow to import

        with ipc.open_stream(self.stream) as stream:
            yield reader.parquet_blocks().block(stream.read_all(), self.extra)


@dataclass(frozen=True)
class FilePiece:
    """A whole file of a format that can only be read whole: JSON in one document, or Excel."""

    path: Path

    def blocks(self, reader: BodyReader) -> Iterator[Block]:
        """Return blocks of these rows; see `Piece`."""
        return reader.read(_read(self.path, _silently))


def read_pieces(
    path: Path, reader: BodyReader, piece_bytes: int, advance: Advance
) -> Iterator[Piece]:
    """Yield the rows of a file, in order, in pieces of about `piece_bytes`; the same ones each time.

    `advance` is told how many bytes of the file were read.

    Raises:
        DataError: the file is no table that fits the contract.
        TooLarge: a row is too long.
    """
    form, _ = reader.open(_read(path, _silently))
    if form == "parquet":
        return _parquet_pieces(path, reader, piece_bytes, advance)
    if form not in {"csv", "json_lines"}:
        return iter([FilePiece(path)])
    _, chunks = reader.open(_read(path, advance))
    text = reader.text(chunks, form)
    return (
        _csv_pieces(reader, text, piece_bytes)
        if form == "csv"
        else _lines_pieces(text, piece_bytes)
    )


def _read(path: Path, advance: Advance) -> Chunks:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            advance(len(chunk))
            yield chunk


def _silently(_bytes: int) -> None:
    """Report no progress."""


def _sliced(text: bytes) -> Chunks:
    for start in range(0, len(text), CHUNK_BYTES):
        yield text[start : start + CHUNK_BYTES]


def _portions(chunks: Chunks, size: int) -> Chunks:
    """Yield the chunks cut anew, into portions of `size` bytes; the last may be smaller."""
    left = b""
    for chunk in rechunk(chunks, size):
        text = left + chunk
        cut = len(text) - len(text) % size
        yield from (text[start : start + size] for start in range(0, cut, size))
        left = text[cut:]
    if left:
        yield left


def _csv_pieces(reader: BodyReader, text: Chunks, piece_bytes: int) -> Iterator[Piece]:
    plan, below = reader.csv_blocks.plan(text)
    left = b""
    for chunk in _portions(below, piece_bytes):
        whole = left + chunk
        cut = reader.csv_blocks.end_of_rows(plan, whole)
        left = whole[cut:]
        if len(left) > max(LONGEST_ROW, piece_bytes):
            raise TooLarge(
                f"a row is longer than {LONGEST_ROW >> 20} MB",
                hint="look for a quote that is never closed, or for missing line ends",
            )
        if cut:
            yield CsvPiece(plan, whole[:cut])
    if left.strip():
        yield CsvPiece(plan, left)


def _lines_pieces(text: Chunks, piece_bytes: int) -> Iterator[Piece]:
    lines, begins = 0, True
    for piece in whole_lines(_portions(text, piece_bytes)):
        if piece.strip():
            yield LinesPiece(piece, lines, begins)
            begins = False
        lines += piece.count(b"\n")


def _parquet_pieces(
    path: Path, reader: BodyReader, piece_bytes: int, advance: Advance
) -> Iterator[Piece]:
    from pyarrow import BufferOutputStream, ipc, parquet  # slow to import

    with path.open("rb") as file:
        body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # unmapped with its last user
    row_bytes = 0
    for table, extra in reader.parquet_blocks().tables(body):
        row_bytes = row_bytes or len(body) // parquet.read_metadata(path).num_rows
        advance(row_bytes * table.num_rows)
        rows = max(1, piece_bytes * table.num_rows // max(1, table.nbytes))
        for start in range(0, table.num_rows, rows):
            stream = BufferOutputStream()
            with ipc.new_stream(stream, table.schema) as writer:
                writer.write_table(table.slice(start, rows))
            yield ArrowPiece(stream.getvalue().to_pybytes(), extra)
