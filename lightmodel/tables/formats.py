"""Read Parquet files and JSON records, each as a whole, as one table."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from lightmodel.config import DataSection
from lightmodel.contract.cells import INT64_END, normalize_name
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError
from lightmodel.tables.base import TableRead, Text, arrow_stream, open_text, translate_errors
from lightmodel.tables.column_types import infer_array, null_missing, to_plain_types
from lightmodel.tables.file_forms import detect_form
from lightmodel.tables.json_forms import extract_records
from lightmodel.tables.json_table import read_uniform_lines
from lightmodel.tables.json_text import Record, load_exactly, parse_json, parse_json_lines
from lightmodel.tables.mapped import mapped_table

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_ROWS, _BUFFER = 1 << 12, 1 << 16  # rows of Parquet, and bytes of each column, at a time
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # pandas' name for an index without a name


def _normalize(table: pa.Table, options: DataSection) -> TableRead:
    """Return a table of plain types with the other properties that `TableFormat` requires."""
    table = table.rename_columns([normalize_name(name) for name in table.column_names])
    dialect = Dialect(na_values=options.missing_texts)
    return TableRead(null_missing(table, options.missing_texts), dialect)


def is_pandas_index(name: str) -> bool:
    """Return whether a column of Parquet is an index without a name, as pandas writes it."""
    return bool(_PANDAS_INDEX.fullmatch(name))


def read_parquet(path: Path, options: DataSection, folder: Path | None = None) -> TableRead:
    """Read a Parquet file; see `LargeTableFormat`.

    Raises:
        DataError: it is damaged, or holds nested values.
    """
    from pyarrow import parquet  # slow to import, and serving CSV does not need it

    with translate_errors(path.name, "a Parquet file"):
        # without these, Arrow holds all that it has read, and whole columns of a row group
        bounded = {} if folder is None else {"pre_buffer": False, "buffer_size": _BUFFER}
        with parquet.ParquetFile(path, **bounded) as file:
            table = file.read() if folder is None else _mapped(file, folder)
        table.validate(full=True)  # Parquet does not guarantee that its texts are UTF-8
        labels = [name for name in table.column_names if is_pandas_index(name)]
        if labels:
            _log.info("%s: dropped the unnamed pandas index", path.name)
        return _normalize(to_plain_types(table.drop_columns(labels), path.name), options)


def _mapped(file: "ParquetFile", folder: Path) -> pa.Table:
    """Return the table of a Parquet file by few rows at a time, without dictionaries."""
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in file.schema_arrow
    ]
    schema = pa.schema(fields)
    return mapped_table((batch.cast(schema) for batch in file.iter_batches(_ROWS)), schema, folder)


def read_json(path: Path, options: DataSection, folder: Path | None = None) -> TableRead:
    """Read JSON records; see `LargeTableFormat`.

    Every key of any record is a column; it is null in records without it.

    Raises:
        DataError: a line is not a JSON object (named by its number), or values are nested.
    """
    with translate_errors(path.name, "JSON Lines"):
        text = open_text(path, "utf-8")
        table = _read_with_arrow(text, folder)
        if table is None:
            table = _read_with_python(text, frozenset(options.missing_texts))
        return _normalize(to_plain_types(table, text.name), options)


def _read_with_arrow(text: Text, folder: Path | None) -> pa.Table | None:
    """Read uniform JSON Lines fast; return None if they are not uniform."""
    if not text.sample.lstrip().startswith("{"):
        return None
    longest = max(len(line) for line in text.sample.splitlines())
    options = arrow_json.ReadOptions(block_size=max(_BLOCK, 8 * longest))
    table = read_uniform_lines(text, options, folder) if folder else _read_whole(text, options)
    if table is None:
        return None
    # an integer that is too long becomes a float, and loses digits
    numbers = [column for column in table.columns if pa.types.is_floating(column.type)]
    largest = max((pc.max(pc.abs(column)).as_py() or 0.0 for column in numbers), default=0.0)
    return table if table.num_columns and largest < INT64_END else None


def _read_whole(text: Text, options: arrow_json.ReadOptions) -> pa.Table | None:
    try:
        with arrow_stream(text.utf8()) as stream:
            return arrow_json.read_json(stream, read_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _read_with_python(text: Text, missing: frozenset[str]) -> pa.Table:
    """Read records of mixed types, or an array of records; raise a DataError if there are none."""
    records = _records(text)
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise DataError(f"{text.name} holds no records")
    columns = {name: [record.get(name) for record in records] for name in names}
    return pa.table([infer_array(values, missing) for values in columns.values()], names=names)


def _records(text: Text) -> Sequence[Record]:
    """Parse all records as in a request, but slower, with integers of any length."""
    content = b"".join(text.utf8())
    if detect_form(content) == "json":
        return extract_records(parse_json(content, load_exactly))
    return list(parse_json_lines(content, load=load_exactly))
