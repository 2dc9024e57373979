"""Files of JSON Lines, one record a line, and of JSON arrays of records."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from lightmodel.config import DataSection
from lightmodel.contract.cells import name_of
from lightmodel.contract.dialect import Dialect
from lightmodel.errors import DataError
from lightmodel.tables.base import TableRead
from lightmodel.tables.column_types import plain_types, without_missing
from lightmodel.tables.detection import form_of, reported
from lightmodel.tables.records import Record, column_of, lines_in, loaded, records_in
from lightmodel.tables.text import Text, open_text

_BLOCK = 1 << 20
_INT64_END = 2.0**63


def read(path: Path, options: DataSection) -> TableRead:
    """Read records; see `TableFormat` for what holds of the table.

    A column is there when some record names it; where one does not, it is null.

    Raises:
        DataError: a line is no JSON object (named by its number), or values are nested.
    """
    missing = ("", *options.missing)
    with reported(path.name, "JSON Lines"):
        text = open_text(path, "utf-8")
        table = _by_arrow(text)
        if table is None:
            table = _by_python(text, frozenset(missing))
        table = plain_types(table, text.name)
    table = table.rename_columns([name_of(name) for name in table.column_names])
    return TableRead(without_missing(table, missing), Dialect(na_values=missing))


def _by_arrow(text: Text) -> pa.Table | None:
    """Read regular records fast; None when they are not regular."""
    if not text.sample.lstrip().startswith("{"):
        return None
    longest = max(len(line) for line in text.sample.splitlines())
    options = arrow_json.ReadOptions(block_size=max(_BLOCK, 8 * longest))
    try:
        with text.open() as stream:
            table = arrow_json.read_json(stream, read_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    # a whole number that is too long becomes a float, and loses its digits
    numbers = [column for column in table.columns if pa.types.is_floating(column.type)]
    largest = max((pc.max(pc.abs(column)).as_py() or 0.0 for column in numbers), default=0.0)
    return table if table.num_columns and largest < _INT64_END else None


def _by_python(text: Text, missing: frozenset[str]) -> pa.Table:
    """Read records whose values change their type, an array of records, or say what is wrong."""
    records = _records(text)
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise DataError(f"{text.name} holds no records")
    columns = {name: [record.get(name) for record in records] for name in names}
    _refuse_nested(columns, text.name)
    return pa.table([column_of(values, missing) for values in columns.values()], names=names)


def _records(text: Text) -> Sequence[Record]:
    """Read all records as a request's are read, but slower, with whole numbers of any length."""
    content = b"".join(text.utf8())
    if form_of(content) == "json":
        return records_in(loaded(content, json.loads))
    return list(lines_in(content, load=json.loads))


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
            hint="give each value a column of its own",
        )
