"""Which format a file has: by what it begins with, and by its name where that does not tell."""

import json
import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from lightmodel.errors import DataError
from lightmodel.tables.byte_stream import (
    WINDOWS,
    Utf8,
    binary_data,
    peeked,
    pieces_of,
    stream_of,
)

Format = Literal["csv", "parquet", "json_lines", "excel"]
Form = Literal["csv", "json", "json_lines", "parquet", "excel"]

_JSON_NAMES = (".jsonl", ".ndjson", ".json")
_PARQUET_NAMES = (".parquet", ".pq")
_EXCEL_NAMES = (".xlsx", ".xlsm")
_REFUSED = (
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls), or one with a password", "xlsx or CSV"),
    (b"ARROW1", "an Arrow file", "Parquet"),
    (b"FEA1", "a Feather file", "Parquet"),
    (b"\x89HDF", "an HDF5 file", "Parquet"),
    (b"SQLite format 3", "an SQLite data base", "CSV"),
    (b"%PDF", "a PDF document", "CSV"),
    (b"BZh", "packed with bzip2", "CSV, plain or packed with gzip"),
    (b"\xfd7zXZ", "packed with xz", "CSV, plain or packed with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "CSV, plain or packed with gzip"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "CSV, plain or packed with gzip"),
)
_MARKUP = ((b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"<head", "HTML"), (b"<?xml", "XML"))


def detect_format(path: Path) -> Format:
    """Say what a file is.

    Raises:
        DataError: it is not there, empty, or something known that is no table.
    """
    with reported(path.name, "a table"):
        beginning = peeked(pieces_of(path), 1)[0][:4096]
    refuse(beginning, path.name)
    if beginning.startswith(b"PAR1"):
        return "parquet"
    if beginning.startswith(b"PK\x03\x04"):
        return _zipped(path)
    name = path.name.lower()
    for names, kind in ((_PARQUET_NAMES, "Parquet"), (_EXCEL_NAMES, "Excel (.xlsx)")):
        if name.endswith(names) and b"\0" in beginning:
            raise DataError(
                f"{path.name} is no {kind} file, whatever its name says",
                hint="fetch or export it again",
            )
    is_json = name.removesuffix(".gz").endswith(_JSON_NAMES) or _looks_like_json(beginning)
    return "json_lines" if is_json else "csv"


def refuse(beginning: bytes, name: str) -> None:
    """Refuse, by its beginning, what is known to be no table.

    Raises:
        DataError: says what it is, and what to save it as.
    """
    for magic, what, form in _REFUSED:
        if beginning.startswith(magic):
            raise DataError(f"{name} is {what}", hint=f"save it as {form}")
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, kind in _MARKUP:
        if text.startswith(start):
            page = "this is an HTML page" if kind == "HTML" else "this is an XML document"
            raise DataError(
                f"{name}: {page}, not a table",
                hint="the link may lead to a page about the file, or to a login; use the file's own",
            )


def _zipped(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise DataError(
            f"{path.name} is a damaged ZIP or Excel file", hint="fetch or export it again"
        ) from None
    if "xl/workbook.xml" in members:
        return "excel"
    raise DataError(
        f"{path.name} is a ZIP archive of {len(members)} file{'s' if len(members) != 1 else ''}",
        hint="unpack it and name the table inside; a single CSV may be packed with gzip",
    )


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
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _looks_like_json(beginning: bytes) -> bool:
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        text = text[1:].lstrip()
    return text.startswith(b"{") and text[1:].lstrip()[:1] in (b'"', b"}")


REMAKE = "fetch or export the file again; if it opens elsewhere, save it as CSV or Parquet"


@contextmanager
def reported(name: str, kind: str) -> Iterator[None]:
    """Turn a library's failure into a DataError, and name the file in one that does not.

    A library's own message may quote cells and is dropped.

    Args:
        name: of the file, without its folder.
        kind: what the file was taken for, with its article: "a Parquet file".

    Raises:
        DataError: the block failed at reading.
    """
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file") from None
    except MemoryError:
        raise
    except DataError as error:
        if type(error) is not DataError or name in error.message:
            raise
        raise DataError(f"{name}: {error.message}", hint=error.hint) from None
    except (pa.ArrowException, UnicodeError, OSError, EOFError) as error:
        message = f"{name} cannot be read as {kind}: it is damaged, cut short, or something else"
        if isinstance(error, PermissionError | IsADirectoryError):
            message = f"{name} cannot be opened: {error.strerror or type(error).__name__}"
        raise DataError(message, hint=REMAKE) from None


_log = logging.getLogger(__name__)

_SAMPLE = 256 << 10
_MOST_SAMPLE = 64 << 20
_LINES = 20
_CONTROLS = dict.fromkeys((*range(9), *range(14, 26), *range(28, 32)))


@dataclass(frozen=True)
class Text:
    """A file of text, and its beginning.

    Attributes:
        told: its encoding, when that is known; "" when it is UTF-8 or else Windows-1252.
        sample: the beginning, without a byte-order mark.
        complete: whether the sample is the whole file.
    """

    path: Path
    told: str
    sample: str
    complete: bool

    @property
    def name(self) -> str:
        """The file's name without its folder, for messages."""
        return self.path.name

    def utf8(self) -> Utf8:
        """Return the whole text, to be read once."""
        return Utf8(pieces_of(self.path), told=self.told, fallback="" if self.told else WINDOWS)

    def open(self) -> pa.NativeFile:
        """Open the whole text as UTF-8."""
        return stream_of(self.utf8())


def open_text(path: Path, encoding: str) -> Text:
    """Read the beginning of a file, enough to hold some lines.

    Args:
        path: of a file that may be gzip.
        encoding: one of Python's names, or "auto".

    Raises:
        ConfigError: there is no such encoding.
        DataError: the file is empty, no text, or not in this encoding.
    """
    text = Text(path, "" if encoding == "auto" else encoding, "", complete=False)
    pieces = text.utf8()
    raw = b""
    for piece in pieces:
        raw += piece
        lines = max(raw.count(b"\n"), raw.count(b"\r"))
        if len(raw) >= _MOST_SAMPLE or (len(raw) >= _SAMPLE and lines >= _LINES):
            break
    if not raw and not pieces.marked:
        raise DataError(f"{path.name} is empty", hint="fetch or export it again")
    sample, complete = raw.decode(), next(pieces, None) is None
    if _holds_controls(sample):
        raise binary_data()
    return Text(path, text.told, sample, complete)


def _holds_controls(sample: str) -> bool:
    """Say whether there are characters that no text has, beyond a stray one."""
    controls = len(sample) - len(sample.translate(_CONTROLS))
    return controls > 0.01 * len(sample)
