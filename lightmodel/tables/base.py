"""What the readers of files share: what they owe, the text of a file, and failures in our own words."""

import io
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from lightmodel.config import DataSection
from lightmodel.contract.columns import Contract, Dialect
from lightmodel.errors import ConfigError, ContractViolation, DataError, Violation
from lightmodel.tables.byte_stream import WINDOWS, Pieces, Utf8, binary_data, pieces_of

_SAMPLE = 256 << 10
_MOST_SAMPLE = 64 << 20
_LINES = 20
_CONTROLS = dict.fromkeys((*range(9), *range(14, 26), *range(28, 32)))
_IN_CELLS = "\"'\r\n\0+-." + string.ascii_letters + string.digits
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


@dataclass(frozen=True)
class TableRead:
    """A table, and how it was written."""

    table: pa.Table
    dialect: Dialect


class TableFormat(Protocol):
    """Reads one file of one format.

    The answer has plain types only: int64, float64, string, bool, date32 and timestamp[us] without
    a zone. Texts have no blanks around them; one that is empty or among `options.na_values` is null.
    A column that holds nothing is float64. Column names are as `cells.name_of` writes them: that they
    are there and distinct is checked by who asks.

    The same bytes give the same table. Whatever the bytes, nothing is raised but a LightModelError
    whose message names the file without its folder and quotes no cell: DataError when the bytes
    are no such table, ConfigError when an option makes no sense.
    """

    def __call__(self, path: Path, options: DataSection) -> TableRead:
        """Read the file at `path`."""
        ...


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
    except DataError as error:
        if type(error) is not DataError or name in error.message:
            raise
        raise DataError(f"{name}: {error.message}", hint=error.hint) from None
    except MemoryError:
        raise
    except (pa.ArrowException, UnicodeError, OSError, EOFError) as error:
        message = f"{name} cannot be read as {kind}: it is damaged, cut short, or something else"
        if isinstance(error, PermissionError | IsADirectoryError):
            message = f"{name} cannot be opened: {error.strerror or type(error).__name__}"
        hint = "fetch or export the file again; if it opens elsewhere, save it as CSV or Parquet"
        raise DataError(message, hint=hint) from None


def check_names(names: Sequence[str], file: str) -> None:
    """Refuse names that stand twice, with all of them.

    Raises:
        ContractViolation: some name does.
    """
    counts = Counter(filter(None, names))
    repeated = [
        Violation(name, "duplicate_column", f"stands in the header {count} times")
        for name, count in counts.items()
        if count > 1
    ]
    if repeated:
        raise ContractViolation(
            repeated, what=file, hint="give each column a name of its own, or remove the copies"
        )


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
    controls = len(sample) - len(sample.translate(_CONTROLS))
    if controls > 0.01 * len(sample):  # no text has them, beyond a stray one
        raise binary_data()
    return replace(text, sample=sample, complete=complete)


class _Stream(io.RawIOBase):
    """Pieces as a file that Arrow reads."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, length = [self._left], len(self._left)
        while size < 0 or length < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            length += len(piece)
        data = b"".join(parts)
        size = length if size < 0 else size
        self._left = data[size:]
        return data[:size]


def stream_of(pieces: Pieces) -> pa.NativeFile:
    """Return pieces as a file that Arrow reads; what they raise comes out of Arrow as it is."""
    return pa.PythonFile(_Stream(pieces), mode="r")


def given_dialect(options: DataSection) -> Dialect:
    """Return what the configuration says of a text; "" is to be detected.

    Raises:
        ConfigError: `options.delimiter` is no single ASCII character, or one that cells are made of.
    """
    return Dialect(
        delimiter=_given_delimiter(options.delimiter),
        decimal=options.decimal.replace("auto", ""),
        encoding=options.encoding.replace("auto", "utf-8"),
        columns=options.columns,
        na_values=("", *options.na_values),
    )


def _given_delimiter(name: str) -> str:
    if name == "auto":
        return ""
    delimiter = _NAMES.get(name, name)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in _IN_CELLS:
        raise ConfigError(
            f"data.delimiter: {name!r} is no delimiter",
            hint="it is auto, one ASCII character, or one of tab, comma, semicolon, pipe, space",
        )
    return delimiter


def dialect_for(contract: Contract, options: DataSection) -> Dialect:
    """Return what rows of a model are read by: its contract's dialect.

    Where that is not known, for the training table was no CSV or the model is an old one, the
    configuration decides.
    """
    kept, given = contract.dialect, given_dialect(options)
    if kept is None:
        return given
    if not kept.delimiter:
        return replace(given, na_values=kept.na_values)
    return replace(kept, decimal=kept.decimal or given.decimal)
