"""Errors about a CSV file that cannot be read: they name its lines, found in a slower pass."""

import csv
import io
from collections.abc import Iterator

from lightmodel.contract.columns import Dialect
from lightmodel.errors import SHOWN_ROWS, DataError
from lightmodel.tables.base import Text, arrow_stream
from lightmodel.tables.byte_stream import skip_bytes
from lightmodel.tables.row_readers import grammar_of
from lightmodel.tables.sniff import is_blank, numbered_rows

_DELIMITER_NAMES = {"\t": "a tab", " ": "whitespace"}
_MAX_ROW_LINES = 1_000  # lines of one cell


def unreadable(text: Text, dialect: Dialect, top: int, width: int) -> DataError:
    """Return an error that names the lines that do not have `width` cells.

    Args:
        text: of the file.
        dialect: as far as it was detected.
        top: bytes of the text above the header, or above the first row if there is none.
        width: cells of a row.
    """
    name, shown, total, before = text.name, [], 0, dialect.skip_rows
    try:
        for last, row in _numbered(text, dialect, top):
            if last - before > _MAX_ROW_LINES:
                return _endless_row(name, before + 1)
            if len(row) != width and not is_blank(row):
                total += 1
                shown.append(f"line {before + 1:,} has {len(row)}")
                del shown[SHOWN_ROWS:]
            before = last
    except csv.Error:
        return _endless_row(name, before + 1)
    if not total:
        hint = "is a quote never closed? Is the file damaged or cut short?"
        return DataError(f"{name} cannot be read as CSV", hint=hint)
    more = ", …" if total > len(shown) else ""
    delimiter = _DELIMITER_NAMES.get(dialect.delimiter, repr(dialect.delimiter))
    return DataError(
        f"{name}: {total:,} line{'s do' if total > 1 else ' does'} not have "
        f"{width} cell{'s' if width > 1 else ''}: {', '.join(shown)}{more}",
        hint=f"the delimiter was taken to be {delimiter} (data.delimiter sets it); "
        "a cell that holds the delimiter needs quotes; data.skip_rows skips lines above the header",
    )


def _endless_row(name: str, line: int) -> DataError:
    return DataError(
        f"{name}: the row that begins in line {line:,} goes on for more than "
        f"{_MAX_ROW_LINES:,} lines or 128 KB in one cell",
        hint="is a quote opened there and never closed? Double a quote inside a quoted cell",
    )


def _numbered(text: Text, dialect: Dialect, top: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each row below the titles, with the number of its last line."""
    marks = dialect.delimiter, dialect.quote
    chunks = skip_bytes(text.utf8(), top)
    if dialect.delimiter == " ":
        chunks = grammar_of(*marks).regularize_chunks(chunks)
    with arrow_stream(chunks) as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        for line, row in numbered_rows(lines, *marks):
            yield line + dialect.skip_rows, row
