"""A file of text, whatever it is packed and encoded in, as a stream of UTF-8."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from lightmodel.errors import DataError
from lightmodel.tables.byte_stream import (
    WINDOWS,
    Utf8,
    binary_data,
    pieces_of,
    stream_of,
)

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
