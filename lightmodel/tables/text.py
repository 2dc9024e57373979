"""A file of text, whatever it is packed and encoded in, as a stream of UTF-8."""

import codecs
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from lightmodel.errors import ConfigError, DataError
from lightmodel.tables.failures import reported

_log = logging.getLogger(__name__)

GZIP = b"\x1f\x8b"
SAMPLE = 256 << 10
_MOST_SAMPLE = 64 << 20
_LINES = 20
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BOM = "\ufeff"
_FALLBACK = "cp1252"
_CONTROLS = dict.fromkeys((*range(9), *range(14, 26), *range(28, 32)))
Transform = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Text:
    """A file of text, and its beginning.

    Attributes:
        encoding: Python's name of it.
        sample: the beginning, decoded and transformed, without a byte-order mark.
        complete: whether the sample is the whole file.
        marked: whether a byte-order mark comes before the sample.
        transform: makes a function to feed the text through, in UTF-8; None: as it is.
    """

    path: Path
    encoding: str
    sample: str
    complete: bool
    marked: bool
    transform: Callable[[], Transform] | None = None

    @property
    def name(self) -> str:
        """The file's name without its folder, for messages."""
        return self.path.name

    def open(self, characters: int = 0) -> pa.NativeFile:
        """Open the text as UTF-8, behind its byte-order mark and so many characters of the sample."""
        stream = unpacked(self.path)
        if self.encoding != "utf-8":
            stream = pa.transcoding_input_stream(stream, self.encoding, "utf-8")
        if self.transform:
            stream = pa.TransformInputStream(stream, self.transform())
        left = len((_BOM * self.marked + self.sample[:characters]).encode())
        while left > 0:
            left -= len(stream.read(left)) or left
        return stream

    def transformed(self, transform: Callable[[], Transform]) -> "Text":
        """Feed the text through a function; its sample too."""
        feed = transform()
        sample = (feed(self.sample.encode()) + feed(b"")).decode()
        return replace(self, sample=sample, transform=transform)


def unpacked(path: Path) -> pa.NativeFile:
    """Open a file, unpacking it when it is gzip."""
    with pa.OSFile(str(path)) as file:
        packed = file.read(len(GZIP)) == GZIP
    file = pa.OSFile(str(path))
    return pa.CompressedInputStream(file, "gzip") if packed else file


def open_text(path: Path, encoding: str) -> Text:
    """Read the beginning of a file, enough to hold some lines, and find out its encoding.

    Args:
        path: of a file that may be gzip.
        encoding: one of Python's names, or "auto".

    Raises:
        ConfigError: there is no such encoding.
        DataError: the file is empty, no text, or not in this encoding.
    """
    given = "" if encoding == "auto" else _known(encoding)
    with reported(path.name, "text"):
        raw, complete = _beginning(path)
    if not raw:
        raise DataError(f"{path.name} is empty", hint="fetch or export it again")
    found = given or _encoding(raw, complete, path.name)
    sample = _decoded(raw, found, complete=complete)
    if sample is None and b"\0" in raw:
        raise _binary(path.name)
    if sample is None:
        raise undecodable(path.name, encoding)
    marked = sample.startswith(_BOM)
    text = Text(path, found, sample.removeprefix(_BOM), complete, marked)
    if _holds_controls(text.sample):
        raise _binary(path.name)
    return text


def in_windows_1252(text: Text) -> Text | None:
    """Take a text that began as ASCII and is not UTF-8 for Windows-1252; None if it is not that."""
    if text.encoding != "utf-8" or text.marked or not text.sample.isascii():
        return None
    other = replace(text, encoding=_FALLBACK)
    try:
        check_encoding(other)
    except UnicodeDecodeError:
        return None
    _log.warning("%s is not UTF-8; it is read as Windows-1252 (see data.encoding)", text.name)
    return other


def check_encoding(text: Text) -> None:
    """Read a file to its end.

    Raises:
        UnicodeDecodeError: it is not in its encoding throughout.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with text.open() as stream:
        while piece := stream.read(1 << 20):
            decoder.decode(piece)
        decoder.decode(b"", final=True)


def undecodable(name: str, encoding: str) -> DataError:
    """Make the error for a file that is not in `encoding` ("auto": in none that is tried)."""
    if encoding == "auto":
        what = "neither UTF-8 nor Windows-1252 throughout"
    else:
        what = f"not in the encoding that data.encoding names, {encoding!r}"
    hint = "name the right one, e.g. --set data.encoding=latin-1, or save it again as UTF-8"
    return DataError(f"{name} is {what}", hint=hint)


def _known(encoding: str) -> str:
    try:
        "a".encode(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise ConfigError(
            f"data.encoding: there is no encoding {encoding!r}",
            hint="examples are auto, utf-8, utf-16, latin-1, cp1252",
        ) from None
    return "utf-8" if name == "utf-8-sig" else name  # a mark is dropped anyway


def _beginning(path: Path) -> tuple[bytes, bool]:
    """Read until there are some lines; say whether that is all."""
    with unpacked(path) as stream:
        raw = bytes(stream.read(SAMPLE))
        while len(raw) < _MOST_SAMPLE and max(raw.count(b"\n"), raw.count(b"\r")) < _LINES:
            more = stream.read(len(raw))
            if not more:
                return raw, True
            raw += more
        return raw, not stream.read(1)


def _encoding(raw: bytes, complete: bool, name: str) -> str:
    for mark, encoding in MARKS:
        if raw.startswith(mark):
            return encoding
    if _decoded(raw, "utf-8", complete=complete) is not None:
        return "utf-8"
    _log.warning("%s is not UTF-8; it is read as Windows-1252 (see data.encoding)", name)
    return _FALLBACK


def _decoded(raw: bytes, encoding: str, *, complete: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(raw, final=complete)
    except UnicodeError:
        return None


def _holds_controls(sample: str) -> bool:
    """Say whether there are characters that no text has, beyond a stray one."""
    controls = len(sample) - len(sample.translate(_CONTROLS))
    return "\0" in sample or controls > 0.01 * len(sample)


def _binary(name: str) -> DataError:
    return DataError(
        f"{name}: this is not a text table, it holds binary data",
        hint="tables are read from CSV, Parquet, JSON Lines and Excel (.xlsx); "
        "for text in UTF-16 without a byte-order mark set data.encoding to utf-16-le",
    )
