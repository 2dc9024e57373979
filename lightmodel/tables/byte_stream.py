"""Bytes that arrive piece by piece: what they are, unpacked and decoded, in bounded memory.

Files and the bodies of requests go through the same functions.
"""

import codecs
import json
import math
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

from lightmodel.errors import ConfigError, DataError, TooLarge

Pieces = Iterator[bytes]
Form = Literal["csv", "json", "json_lines", "parquet", "excel"]

_GZIP = b"\x1f\x8b"
AT_ONCE = 256 << 10  # what fits the processor's caches is read soonest
WINDOWS = "cp1252"
_UNPACKED_AT_ONCE = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SURE = 4  # bytes, the first of which is beyond ASCII, tell UTF-8 from others
_NAMES = {"utf-8": "UTF-8", WINDOWS: "Windows-1252"}
_REFUSED = (
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls), or one with a password", "xlsx or CSV"),
    (b"ARROW1", "an Arrow file", "Parquet"),
    (b"FEA1", "a Feather file", "Parquet"),
    (b"\x89HDF", "an HDF5 file", "Parquet"),
    (b"SQLite format 3", "an SQLite database", "CSV"),
    (b"%PDF", "a PDF document", "CSV"),
    (b"BZh", "packed with bzip2", "CSV, plain or packed with gzip"),
    (b"\xfd7zXZ", "packed with xz", "CSV, plain or packed with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "CSV, plain or packed with gzip"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "CSV, plain or packed with gzip"),
)
_MARKUP = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<head", "an HTML page"),
    (b"<?xml", "an XML document"),
)


def pieces_of(path: Path) -> Pieces:
    """Yield a file's bytes, unpacked when it is gzip."""

    def read() -> Pieces:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(AT_ONCE):
                yield piece

    return gathered(unpacked(read()), AT_ONCE)


def gathered(pieces: Pieces, size: int) -> Pieces:
    """Put small pieces together to such of at least `size` bytes; the last may be smaller."""
    held: list[bytes] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= size:
            yield b"".join(held)
            held, length = [], 0
    if held:
        yield b"".join(held)


def peeked(pieces: Pieces, size: int) -> tuple[bytes, Pieces]:
    """Return the beginning, of at least `size` bytes where there are as many, and all pieces again."""
    first = next(gathered(pieces, size), b"")
    return first, chain([first], pieces)


def behind(pieces: Pieces, length: int) -> Pieces:
    """Leave out so many bytes at the beginning."""
    for piece in pieces:
        if rest := piece[length:]:
            yield rest
        length = max(0, length - len(piece))


def unpacked(pieces: Pieces, most: float = math.inf) -> Pieces:
    """Unpack what is gzip, of one member or several, and pass on what is not.

    Raises:
        DataError: it is damaged or cut short.
        TooLarge: it holds more than `most` bytes.
    """
    first, pieces = peeked(pieces, len(_GZIP))
    return _gunzipped(pieces, most) if first.startswith(_GZIP) else pieces


def _gunzipped(pieces: Pieces, most: float) -> Pieces:
    member, total = zlib.decompressobj(wbits=31), 0
    try:
        for piece in pieces:
            data = piece
            while data:
                if member.eof:
                    data = data.lstrip(b"\0")  # what some programs fill blocks up with
                    if not data:
                        break
                    member = zlib.decompressobj(wbits=31)
                out = member.decompress(data, _UNPACKED_AT_ONCE)
                data = member.unused_data if member.eof else member.unconsumed_tail
                total += len(out)
                if total > most:
                    raise TooLarge(
                        f"the gzip holds more than {int(most) >> 20:,} MB", hint="send it in parts"
                    )
                yield out
    except zlib.error:
        raise DataError("the gzip is damaged", hint="pack the file again") from None
    if not member.eof:
        raise DataError("the gzip is cut short", hint="pack the file again")


class Utf8:
    """A text as UTF-8 without a byte-order mark, checked, whole characters in each piece.

    A byte-order mark tells the encoding, or else whoever sent the text. Where neither does, it is
    decided at the first character beyond ASCII: what is UTF-8 there is read as such, and all else by
    `fallback`.

    Args:
        pieces: of the text.
        told: the encoding that is known, one of Python's names; "" when none is.
        fallback: another one than UTF-8 that it may have; "" when there is none.

    Attributes:
        encoding: Python's name of it, as far as it is known yet; "ascii" until it matters.
        marked: whether a byte-order mark tells it.

    Raises:
        ConfigError: there is no such encoding.
        DataError: from the iterator: it is not in this encoding, or no text at all.
    """

    def __init__(self, pieces: Pieces, *, told: str = "", fallback: str = "") -> None:
        first, pieces = peeked(pieces, _SURE)
        marked = next((name for mark, name in _MARKS if first.startswith(mark)), "")
        told, self._fallback = told and _known(told), fallback and _known(fallback)
        if not told and self._fallback and not _extends_ascii(self._fallback):
            told = self._fallback
        self.encoding, self.marked = marked or told or "ascii", bool(marked)
        self._tried = [self.encoding]
        if marked == "utf-8":
            pieces = behind(pieces, len(codecs.BOM_UTF8))
        known = marked or told
        self._pieces = self._decoded(pieces, known) if known else self._decided(pieces)

    def __iter__(self) -> Pieces:
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece, in UTF-8."""
        try:
            piece = next(self._pieces)
        except UnicodeDecodeError:
            raise self._wrong() from None
        if b"\0" in piece:
            raise binary_data()
        return piece

    def _decided(self, pieces: Pieces) -> Pieces:
        for piece in pieces:
            if piece.isascii():
                yield piece
                continue
            enough = _beyond_ascii(piece) + _SURE
            held, rest = peeked(chain([piece], pieces), enough)
            if b"\0" in held:  # no encoding that extends ASCII has it
                raise binary_data()
            is_utf8 = not self._fallback or _is_utf8(held, complete=len(held) < enough)
            self.encoding = "utf-8" if is_utf8 else self._fallback
            self._tried = ["utf-8", *filter(None, [self._fallback])]
            yield from self._decoded(rest, self.encoding)

    def _decoded(self, pieces: Pieces, name: str) -> Pieces:
        plain = name in {"utf-8", "ascii"}
        decoder = codecs.getincrementaldecoder(name)()
        for piece in pieces:
            if plain and piece.isascii() and not decoder.getstate()[0]:
                yield piece
            else:
                yield decoder.decode(piece).encode()
        decoder.decode(b"", final=True)

    def _wrong(self) -> DataError:
        names = [_NAMES.get(name, name.upper()) for name in self._tried]
        tried = f"not {names[0]}" if len(names) == 1 else f"neither {' nor '.join(names)}"
        return DataError(
            f"the text is {tried} throughout",
            hint="save it as UTF-8, or name its encoding: data.encoding, or charset in a request",
        )


def binary_data() -> DataError:
    """Return the error for what is no text."""
    return DataError(
        "this is not a text table, it holds binary data",
        hint="tables are read from CSV, plain or packed with gzip, Parquet, JSON, JSON Lines and Excel "
        "(.xlsx); for text in UTF-16 without a byte-order mark set data.encoding to utf-16-le",
    )


def _known(encoding: str) -> str:
    """Return Python's own name of an encoding."""
    try:
        "a".encode(encoding)
        found = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise ConfigError(
            f"there is no encoding {encoding!r} (data.encoding, or charset in a request)",
            hint="examples are auto, utf-8, utf-16, latin-1, cp1252",
        ) from None
    return "utf-8" if found == "utf-8-sig" else found  # a mark is dropped anyway


def _extends_ascii(encoding: str) -> bool:
    """Return whether bytes below 128 are ASCII in this encoding, whatever stands before them."""
    stateful = encoding.startswith(("iso2022", "hz", "utf-7"))
    return not stateful and "a,1\n".encode(encoding) == b"a,1\n"


def _beyond_ascii(text: bytes) -> int:
    """Return the place of the first byte beyond ASCII, of which there is one."""
    try:
        return len(text.decode("ascii"))
    except UnicodeDecodeError as error:
        return error.start


def _is_utf8(text: bytes, *, complete: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(text, final=complete)
    except UnicodeDecodeError:
        return False
    return True


def refuse(beginning: bytes, name: str) -> None:
    """Refuse, by its beginning, what is known to be no table.

    Raises:
        DataError: says what it is, and what to save it as.
    """
    for magic, what, form in _REFUSED:
        if beginning.startswith(magic):
            raise DataError(f"{name} is {what}", hint=f"save it as {form}")
    text = beginning.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    for start, kind in _MARKUP:
        if text.startswith(start):
            raise DataError(
                f"{name}: this is {kind}, not a table",
                hint="the link may lead to a page about the file, or to a login; use the file's own",
            )


def form_of(first: bytes) -> Form:
    """Return what a body is by its beginning, of some kilobytes."""
    if first.startswith(b"PAR1"):
        return "parquet"
    if first.startswith(b"PK\x03\x04"):
        return "excel"
    text = first.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"["):
        return "json"
    if not text.startswith(b"{"):
        return "csv"
    line, end, _ = text.partition(b"\n")
    try:
        return "json_lines" if end and isinstance(json.loads(line), dict) else "json"
    except (ValueError, RecursionError):
        return "json"
