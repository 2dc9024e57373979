"""Detect from its first bytes what a file or a body is."""

import codecs
import json
import re
from typing import Literal

from lightmodel.errors import DataError

Form = Literal["csv", "json", "json_lines", "parquet", "excel"]

_NON_TABLES = (
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls), or one with a password", "xlsx or CSV"),
    (b"ARROW1", "an Arrow file", "Parquet"),
    (b"FEA1", "a Feather file", "Parquet"),
    (b"\x89HDF", "an HDF5 file", "Parquet"),
    (b"SQLite format 3", "an SQLite database", "CSV"),
    (b"%PDF", "a PDF document", "CSV"),
    (b"BZh", "compressed with bzip2", "CSV, plain or gzipped"),
    (b"\xfd7zXZ", "compressed with xz", "CSV, plain or gzipped"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "CSV, plain or gzipped"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "CSV, plain or gzipped"),
)
WRAPPERS = ("dataframe_split", "dataframe_records", "instances", "inputs")  # of rows, by MLflow
_JSON_START = re.compile(rb'\s*(\[\s*[\[{\]]|\{\s*["}])')  # a cell of CSV would be in quotes
_MARKUP = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<head", "an HTML page"),
    (b"<?xml", "an XML document"),
)


def refuse_non_table(beginning: bytes, name: str) -> None:
    """Refuse a file whose first bytes are those of a known format that is not a table.

    Raises:
        DataError: names the format, and one to save the table as.
    """
    for magic, what, form in _NON_TABLES:
        if beginning.startswith(magic):
            raise DataError(f"{name} is {what}", hint=f"save it as {form}")
    text = beginning.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith(b"[object "):
        raise DataError(
            f"{name} is [object Object]: JavaScript's text for an object",
            hint="send JSON.stringify(rows)",
        )
    for start, kind in _MARKUP:
        if text.startswith(start):
            raise DataError(
                f"{name}: this is {kind}, not a table",
                hint="the link may lead to a page about the file, or to a login; link to the file itself",
            )


def detect_form(first: bytes) -> Form:
    """Return the format of a body, detected from its first kilobytes."""
    if first.startswith(b"PAR1"):
        return "parquet"
    if first.startswith(b"PK\x03\x04"):
        return "excel"
    text = first.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"["):
        return "json"
    if not text.startswith(b"{"):
        return "csv"
    line, end, rest = text.partition(b"\n")
    try:
        record = json.loads(line) if end else None
    except (ValueError, RecursionError):
        return "json"
    # One line that wraps rows is a document, even if its line has an end.
    is_line = isinstance(record, dict) and (rest.strip() or not record.keys() & set(WRAPPERS))
    return "json_lines" if is_line else "json"


def is_json(first: bytes) -> bool:
    """Return whether a body is JSON whatever its sender says: no CSV begins like that."""
    return _JSON_START.match(first.removeprefix(codecs.BOM_UTF8)) is not None
