"""The protocol that all readers of files fulfil, the text of a file, and the translation of read errors."""

import io
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lightmodel.config import DataSection
from lightmodel.contract.columns import Contract, Dialect
from lightmodel.errors import ConfigError, ContractViolation, DataError, Violation
from lightmodel.tables.byte_stream import WINDOWS_1252, Chunks, Utf8Stream, binary_data, read_chunks

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLE = 256 << 10
_MAX_SAMPLE = 64 << 20
_MIN_LINES = 20
_CONTROL_CHARACTERS = dict.fromkeys((*range(9), *range(14, 26), *range(28, 32)))
_NEVER_DELIMITERS = "\"'\r\n\0+-." + string.ascii_letters + string.digits
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


@dataclass(frozen=True)
class TableRead:
    """A table, and the dialect in which it was written.

    `lost` counts, by column, the formulas whose values are not in the file; they count as missing.
    """

    table: "pa.Table"
    dialect: Dialect
    lost: Mapping[str, int] = field(default_factory=dict)


class TableFormat(Protocol):
    """Reads one file of one format.

    The table has plain types only: int64, float64, string, bool, date32, timestamp[us] without a
    zone and duration[us]. Texts are stripped; one that is empty or among `options.missing_texts` is
    null. A column without any value is float64. Names are written as by `cells.normalize_name`; the caller
    checks that they are distinct and not empty.

    The same bytes always result in the same table. Whatever the bytes, only a LightModelError is
    raised, whose message names the file without its folder and quotes no cell: DataError when the
    bytes are not a table of this format, ConfigError when an option is invalid.
    """

    def __call__(self, path: Path, options: DataSection) -> TableRead:
        """Read the file at `path`."""
        ...


class LargeTableFormat(Protocol):
    """A TableFormat of files that may be larger than the memory."""

    def __call__(self, path: Path, options: DataSection, folder: Path | None) -> TableRead:
        """Read the file at `path`, into a mapped file in `folder` if that is given."""
        ...


@contextmanager
def translate_errors(name: str, kind: str) -> Iterator[None]:
    """Turn a library's errors into a DataError, and add the file's name to a DataError without it.

    A library's own message may quote cells and is dropped.

    Args:
        name: the file's name, without its folder.
        kind: the format that the file was read as, with an article: "a Parquet file".

    Raises:
        DataError: the file could not be read.
    """
    from pyarrow import ArrowException  # slow to import, and serving CSV does not need it

    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file") from None
    except DataError as error:
        if type(error) is not DataError or name in error.message:
            raise
        raise DataError(f"{name}: {error.message}", hint=error.hint) from None
    except MemoryError:
        raise
    except (ArrowException, UnicodeError, OSError, EOFError) as error:
        message = f"{name} cannot be read as {kind}: it is damaged, truncated, or in another format"
        if isinstance(error, PermissionError | IsADirectoryError):
            message = f"{name} cannot be opened: {error.strerror or type(error).__name__}"
        hint = "fetch or export the file again; if it opens elsewhere, save it as CSV or Parquet"
        raise DataError(message, hint=hint) from None


def refuse_duplicates(names: Sequence[str], file: str) -> None:
    """Refuse names that occur more than once.

    Raises:
        ContractViolation: names are repeated; all of them are listed.
    """
    counts = Counter(filter(None, names))
    repeated = [
        Violation(name, "duplicate_column", f"occurs {count} times in the header")
        for name, count in counts.items()
        if count > 1
    ]
    if repeated:
        raise ContractViolation(
            repeated, what=file, hint="give each column a unique name, or remove the copies"
        )


@dataclass(frozen=True)
class Text:
    """A file of text, and its beginning.

    Attributes:
        encoding: the configured one; "": UTF-8 if the text is valid UTF-8, else Windows-1252.
        sample: the beginning, without a byte-order mark.
        complete: whether the sample is the whole file.
    """

    path: Path
    encoding: str
    sample: str
    complete: bool

    @property
    def name(self) -> str:
        """The file's name without its folder, for messages."""
        return self.path.name

    def utf8(self) -> Utf8Stream:
        """Return the whole text, to be read once."""
        fallback = "" if self.encoding else WINDOWS_1252
        return Utf8Stream(read_chunks(self.path), encoding=self.encoding, fallback=fallback)


def open_text(path: Path, encoding: str) -> Text:
    """Read the beginning of a file, enough to hold some lines.

    Args:
        path: of a file that may be compressed with gzip.
        encoding: a Python codec name, or "auto".

    Raises:
        ConfigError: there is no such encoding.
        DataError: the file is empty, is not text, or is not in this encoding.
    """
    text = Text(path, "" if encoding == "auto" else encoding, "", complete=False)
    chunks = text.utf8()
    raw = b""
    for chunk in chunks:
        raw += chunk
        lines = max(raw.count(b"\n"), raw.count(b"\r"))
        if len(raw) >= _MAX_SAMPLE or (len(raw) >= _SAMPLE and lines >= _MIN_LINES):
            break
    if not raw and not chunks.marked:
        raise DataError(f"{path.name} is empty", hint="fetch or export it again")
    sample, complete = raw.decode(), next(chunks, None) is None
    controls = len(sample) - len(sample.translate(_CONTROL_CHARACTERS))
    if controls > 0.01 * len(sample):  # text has none, except a stray one
        raise binary_data()
    return replace(text, sample=sample, complete=complete)


class _ChunkFile(io.RawIOBase):
    """A file object for Arrow that reads from chunks."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, length = [self._left], len(self._left)
        while size < 0 or length < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            length += len(chunk)
        data = b"".join(parts)
        size = length if size < 0 else size
        self._left = data[size:]
        return data[:size]


def arrow_stream(chunks: Chunks) -> "pa.NativeFile":
    """Return chunks as a file that Arrow reads; Arrow passes on the exceptions they raise."""
    from pyarrow import PythonFile  # as above

    return PythonFile(_ChunkFile(chunks), mode="r")


def configured_dialect(options: DataSection) -> Dialect:
    """Return the dialect that the configuration sets; "" is to be detected.

    Raises:
        ConfigError: `options.delimiter` is not a single ASCII character, or occurs in ordinary cells.
    """
    return Dialect(
        delimiter=_configured_delimiter(options.delimiter),
        decimal=options.decimal.replace("auto", ""),
        encoding=options.encoding.replace("auto", "utf-8"),
        columns=options.columns,
        na_values=options.missing_texts,
    )


def _configured_delimiter(name: str) -> str:
    if name == "auto":
        return ""
    delimiter = _NAMES.get(name, name)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in _NEVER_DELIMITERS:
        raise ConfigError(
            f"data.delimiter: {name!r} is not a valid delimiter",
            hint="use auto, a single ASCII character, or one of tab, comma, semicolon, pipe, space",
        )
    return delimiter


def dialect_for(contract: Contract, options: DataSection) -> Dialect:
    """Return the dialect by which rows for a model are read: that of its contract.

    The configuration decides where that is unknown: the training table was not a CSV, or the
    model is an old one.
    """
    trained, configured = contract.dialect, configured_dialect(options)
    if trained is None:
        return configured
    if not trained.delimiter:
        return replace(
            configured,
            columns=trained.columns or configured.columns,
            header=trained.header,
            na_values=trained.na_values,
            skip_rows=trained.skip_rows,
            units=trained.units,
            sheet=trained.sheet,
        )
    return replace(trained, decimal=trained.decimal or configured.decimal)
