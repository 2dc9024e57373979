"""Bytes that arrive piece by piece: unpacked, decoded and put together, in bounded memory."""

import codecs
import zlib
from collections.abc import Iterator

from lightmodel.errors import ConfigError, DataError, TooLarge
from lightmodel.tables.text import GZIP, MARKS

Pieces = Iterator[bytes]

_UNPACKED_AT_ONCE = 1 << 20


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
    """Give the beginning, of at least `size` bytes where there are as many, and all pieces again."""
    first = next(gathered(pieces, size), b"")

    def again() -> Pieces:
        yield first
        yield from pieces

    return first, again()


def unpacked(pieces: Pieces, most: int) -> Pieces:
    """Unpack what is gzip, and pass on what is not.

    Raises:
        DataError: it is damaged or cut short.
        TooLarge: it holds more than `most` bytes.
    """
    first, pieces = peeked(pieces, len(GZIP))
    return _gunzipped(pieces, most) if first.startswith(GZIP) else pieces


def _gunzipped(pieces: Pieces, most: int) -> Pieces:
    unpacker, total = zlib.decompressobj(wbits=31), 0
    try:
        for piece in pieces:
            data = piece
            while data and not unpacker.eof:
                out = unpacker.decompress(data, _UNPACKED_AT_ONCE)
                data = unpacker.unconsumed_tail
                total += len(out)
                if total > most:
                    raise TooLarge(
                        f"the gzip holds more than {most >> 20:,} MB", hint="send it in parts"
                    )
                yield out
    except zlib.error:
        raise DataError("the gzip is damaged", hint="pack the file again") from None
    if not unpacker.eof:
        raise DataError("the gzip is cut short", hint="pack the file again")


def as_utf8(pieces: Pieces, encoding: str) -> Pieces:
    """Give a text as UTF-8 without a byte-order mark, checked, whole characters in each piece.

    Args:
        pieces: of the text, in UTF-8, in what its byte-order mark says, or in `encoding`.
        encoding: one of Python's names, or "auto".

    Raises:
        DataError: it is not in this encoding, or no text at all.
    """
    first, pieces = peeked(pieces, 4)
    marked = next((name for mark, name in MARKS if first.startswith(mark)), "")
    chosen = marked or ("utf-8" if encoding == "auto" else encoding)
    try:
        decoder = codecs.getincrementaldecoder(chosen.replace("utf-8", "utf-8-sig"))()
    except LookupError:
        raise ConfigError(f"data.encoding: there is no encoding {encoding!r}") from None
    return _decoded(pieces, decoder, chosen)


def _decoded(pieces: Pieces, decoder: codecs.IncrementalDecoder, name: str) -> Pieces:
    plain = name == "utf-8"
    try:
        for piece in pieces:
            if plain and piece.isascii() and not decoder.getstate()[0]:
                text = piece
            else:
                text = decoder.decode(piece).encode()
            if b"\0" in text:
                raise DataError("the body holds binary data, not text", hint=_FORMATS)
            yield text
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise DataError(
            f"the text is not {name.upper()} throughout",
            hint="save it as UTF-8, or let the service's data.encoding name its encoding",
        ) from None


_FORMATS = "send CSV, CSV packed with gzip, JSON, JSON Lines, Parquet or Excel (.xlsx)"
