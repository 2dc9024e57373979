"""JSON Lines, one record a line, and a JSON array of records."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.json as arrow_json

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables.column_types import tidy_texts
from lightmodel.tables.failures import reported
from lightmodel.tables.plain import plain_types
from lightmodel.tables.records import column_of
from lightmodel.tables.text import Text, open_text

_BLOCK = 1 << 20
_LAYOUT = "write one JSON object a line, or an array of objects, e.g. pandas' orient='records'"


def read(path: Path, options: DataSection) -> pa.Table:
    """Read records; see `TableFormat` for what holds of the table.

    A column is there when some record names it; where one does not, it is null.

    Raises:
        DataError: a line is no JSON object (named by its number), or values are nested.
    """
    text = open_text(path, "auto")
    missing = ("", *options.missing)
    with reported(text.name, "JSON Lines"):
        table = _by_arrow(text)
        if table is None:
            table = _by_python(text, frozenset(missing))
    table = table.rename_columns([name.strip() for name in table.column_names])
    return tidy_texts(plain_types(table, text.name), missing)


def _by_arrow(text: Text) -> pa.Table | None:
    """Read regular records fast; None when they are not regular."""
    if not text.sample.lstrip().startswith("{"):
        return None
    longest = max(len(line) for line in text.sample.splitlines())
    options = arrow_json.ReadOptions(block_size=max(_BLOCK, 8 * longest))
    try:
        with text.open() as stream:
            table = arrow_json.read_json(stream, read_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None
    return table if table.num_columns else None


def _by_python(text: Text, missing: frozenset[str]) -> pa.Table:
    """Read records whose values change their type, an array of records, or say what is wrong."""
    columns: dict[str, list[object]] = {}
    rows = 0
    for rows, record in enumerate(_records(text), start=1):
        for name, value in record.items():
            values = columns.setdefault(name, [])
            values.extend([None] * (rows - 1 - len(values)))
            values.append(value)
    if not columns:
        raise DataError(f"{text.name} holds no records", hint=_LAYOUT)
    for values in columns.values():
        values.extend([None] * (rows - len(values)))
    _refuse_nested(columns, text.name)
    arrays = [column_of(values, missing) for values in columns.values()]
    return pa.table(arrays, names=list(columns))


def _refuse_nested(columns: dict[str, list[object]], name: str) -> None:
    nested = [
        repr(column)
        for column, values in columns.items()
        if any(isinstance(value, dict | list) for value in values)
    ]
    if nested:
        more = ", …" if len(nested) > 10 else ""
        raise DataError(
            f"{name}: {len(nested)} column{'s hold' if len(nested) > 1 else ' holds'} lists or "
            f"objects: {', '.join(nested[:10])}{more}",
            hint=f"give each value a column of its own; {_LAYOUT}",
        )


def _records(text: Text) -> Iterator[dict[str, object]]:
    with text.open() as stream:
        content = bytes(stream.read()).decode()
    if content.lstrip().startswith("["):
        yield from _array(content, text.name)
        return
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        yield from _lines(content, text.name)
    else:
        yield _record(whole, text.name, "its value")


def _lines(content: str, name: str) -> Iterator[dict[str, object]]:
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                raise DataError(f"{name}: line {number} is not JSON", hint=_LAYOUT) from None
            yield _record(value, name, f"line {number}")


def _array(content: str, name: str) -> Iterator[dict[str, object]]:
    try:
        values: list[object] = json.loads(content)  # it begins with a bracket
    except (ValueError, RecursionError):
        raise DataError(f"{name} is not a complete JSON array", hint=_LAYOUT) from None
    for number, value in enumerate(values, start=1):
        yield _record(value, name, f"element {number}")


def _record(value: object, name: str, place: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise DataError(f"{name}: {place} is not a JSON object", hint=_LAYOUT)
    return value
