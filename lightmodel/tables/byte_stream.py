"""Detect, decompress and decode bytes that arrive in chunks, in bounded memory.

Files and request bodies go through the same functions.
"""

import codecs
import math
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from lightmodel.errors import ConfigError, DataError, TooLarge

Chunks = Iterator[bytes]

_GZIP = b"\x1f\x8b"
CHUNK_BYTES = 256 << 10  # fits the processor's caches
WINDOWS_1252 = "cp1252"
_MAX_DECOMPRESSED = 1 << 20
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PROBE_BYTES = 4  # bytes from the first non-ASCII one on: enough to tell UTF-8 from other encodings
_ENCODING_NAMES = {"utf-8": "UTF-8", WINDOWS_1252: "Windows-1252"}


def read_chunks(path: Path) -> Chunks:
    """Yield a file's bytes, decompressed if it is gzip."""

    def read() -> Chunks:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    return rechunk(decompress(read()), CHUNK_BYTES)


def rechunk(chunks: Chunks, size: int) -> Chunks:
    """Join small chunks into chunks of at least `size` bytes; the last may be smaller."""
    parts: list[bytes] = []
    length = 0
    for chunk in chunks:
        parts.append(chunk)
        length += len(chunk)
        if length >= size:
            yield b"".join(parts)
            parts, length = [], 0
    if parts:
        yield b"".join(parts)


def peek(chunks: Chunks, size: int) -> tuple[bytes, Chunks]:
    """Return the beginning, at least `size` bytes if there are as many, and all chunks including it."""
    first = next(rechunk(chunks, size), b"")
    return first, chain([first], chunks)


def skip_bytes(chunks: Chunks, length: int) -> Chunks:
    """Yield the chunks without the first `length` bytes."""
    for chunk in chunks:
        if rest := chunk[length:]:
            yield rest
        length = max(0, length - len(chunk))


def decompress(chunks: Chunks, most: float = math.inf) -> Chunks:
    """Decompress gzip data of one or several members, and pass on any other data unchanged.

    Raises:
        DataError: the gzip data is damaged or truncated.
        TooLarge: it decompresses to more than `most` bytes.
    """
    first, chunks = peek(chunks, len(_GZIP))
    return _decompress_gzip(chunks, most) if first.startswith(_GZIP) else chunks


def _decompress_gzip(chunks: Chunks, most: float) -> Chunks:
    member, total = zlib.decompressobj(wbits=31), 0
    try:
        for chunk in chunks:
            data = chunk
            while data:
                if member.eof:
                    data = data.lstrip(b"\0")  # some programs pad their blocks with zeros
                    if not data:
                        break
                    member = zlib.decompressobj(wbits=31)
                out = member.decompress(data, _MAX_DECOMPRESSED)
                data = member.unused_data if member.eof else member.unconsumed_tail
                total += len(out)
                if total > most:
                    raise TooLarge(
                        f"the gzip data exceeds {int(most) >> 20:,} MB", hint="send it in parts"
                    )
                yield out
    except zlib.error:
        raise DataError("the gzip data is damaged", hint="compress the file again") from None
    if not member.eof:
        raise DataError("the gzip data is cut short", hint="compress the file again")


class Utf8Stream:
    """An iterator over a text as valid UTF-8 without a byte-order mark, in chunks of whole characters.

    A byte-order mark decides the encoding, or else `encoding`. Without either, the first non-ASCII
    character decides: a text that is UTF-8 there is read as UTF-8, and any other by `fallback`.

    Args:
        chunks: of the text.
        encoding: the known encoding, a Python codec name; "" when it is unknown.
        fallback: the encoding of a text that is not UTF-8; "" when there is none.

    Attributes:
        encoding: the codec name as detected so far; "ascii" until a non-ASCII character comes.
        marked: whether the text begins with a byte-order mark.

    Raises:
        ConfigError: there is no such encoding.
        DataError: while iterating: the text is not in this encoding, or is binary data.
    """

    def __init__(self, chunks: Chunks, *, encoding: str = "", fallback: str = "") -> None:
        first, chunks = peek(chunks, _PROBE_BYTES)
        marked = next((name for mark, name in _BYTE_ORDER_MARKS if first.startswith(mark)), "")
        encoding = encoding and _python_name(encoding)
        self._fallback = fallback and _python_name(fallback)
        if not encoding and self._fallback and not _extends_ascii(self._fallback):
            encoding = self._fallback
        self.encoding, self.marked = marked or encoding or "ascii", bool(marked)
        self._tried = [self.encoding]
        if marked == "utf-8":
            chunks = skip_bytes(chunks, len(codecs.BOM_UTF8))
        known = marked or encoding
        self._chunks = self._decode(chunks, known) if known else self._detect_and_decode(chunks)

    def __iter__(self) -> Chunks:
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return the next chunk, in UTF-8."""
        try:
            chunk = next(self._chunks)
        except UnicodeDecodeError:
            raise self._encoding_error() from None
        if b"\0" in chunk:
            raise binary_data()
        return chunk

    def _detect_and_decode(self, chunks: Chunks) -> Chunks:
        for chunk in chunks:
            if chunk.isascii():
                yield chunk
                continue
            enough = _first_non_ascii(chunk) + _PROBE_BYTES
            held, rest = peek(chain([chunk], chunks), enough)
            if b"\0" in held:  # does not occur in text of an encoding that extends ASCII
                raise binary_data()
            is_utf8 = not self._fallback or _is_utf8(held, complete=len(held) < enough)
            self.encoding = "utf-8" if is_utf8 else self._fallback
            self._tried = ["utf-8", *filter(None, [self._fallback])]
            yield from self._decode(rest, self.encoding)

    def _decode(self, chunks: Chunks, name: str) -> Chunks:
        plain = name in {"utf-8", "ascii"}
        decoder = codecs.getincrementaldecoder(name)()
        for chunk in chunks:
            if plain and chunk.isascii() and not decoder.getstate()[0]:
                yield chunk
            else:
                yield decoder.decode(chunk).encode()
        decoder.decode(b"", final=True)

    def _encoding_error(self) -> DataError:
        names = [_ENCODING_NAMES.get(name, name.upper()) for name in self._tried]
        tried = f"not {names[0]}" if len(names) == 1 else f"neither {' nor '.join(names)}"
        return DataError(
            f"the text is {tried} throughout",
            hint="save it as UTF-8, or name its encoding: data.encoding, or charset in a request",
        )


def binary_data() -> DataError:
    """Return the error for data that is not text."""
    return DataError(
        "this is binary data, not a table of text",
        hint="tables are read from CSV, plain or gzipped, Parquet, JSON, JSON Lines and Excel "
        "(.xlsx); for text in UTF-16 without a byte-order mark set data.encoding to utf-16-le",
    )


def _python_name(encoding: str) -> str:
    """Return Python's canonical name of an encoding; raise a ConfigError if there is none."""
    try:
        "a".encode(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise ConfigError(
            f"there is no encoding {encoding!r} (data.encoding, or charset in a request)",
            hint="use e.g. auto, utf-8, utf-16, latin-1 or cp1252",
        ) from None
    return "utf-8" if name == "utf-8-sig" else name  # a byte-order mark is dropped anyway


def _extends_ascii(encoding: str) -> bool:
    """Return whether bytes below 128 always mean ASCII characters in this encoding."""
    stateful = encoding.startswith(("iso2022", "hz", "utf-7"))
    return not stateful and "a,1\n".encode(encoding) == b"a,1\n"


def _first_non_ascii(text: bytes) -> int:
    """Return the position of the first non-ASCII byte; `text` must have one."""
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
