"""CSV, in the many ways that people and programs write it, read by Arrow on all cores."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables.column_types import Writing, typed, without
from lightmodel.tables.diagnosis import explain
from lightmodel.tables.dialect import (
    Dialect,
    Rows,
    common_width,
    find_decimal,
    find_dialect,
    sample_rows,
)
from lightmodel.tables.failures import reported
from lightmodel.tables.header import Header, data_start, find_header, is_number
from lightmodel.tables.names import check_names, named_columns
from lightmodel.tables.plain import plain_types
from lightmodel.tables.text import (
    Text,
    check_encoding,
    in_windows_1252,
    open_text,
    undecodable,
)
from lightmodel.tables.whitespace import squeezing

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class _Plan:
    """All that was found out before reading.

    Attributes:
        start: characters of the sample before the first data row.
        numbers: positions of the columns that hold decimal numbers in the sample.
    """

    text: Text
    dialect: Dialect
    header: Header
    writing: Writing
    start: int
    numbers: frozenset[int]


def read(path: Path, options: DataSection) -> pa.Table:
    """Read a CSV file, plain or packed with gzip; see `TableFormat` for what holds of the table.

    Raises:
        ConfigError: the delimiter or encoding that `options` name is none.
        DataError: it is no CSV table; ragged rows are named by their line numbers.
    """
    text = open_text(path, options.encoding)
    with reported(text.name, "CSV"):
        try:
            return _read(text, options)
        except UnicodeDecodeError:
            other = in_windows_1252(text) if options.encoding == "auto" else None
            if other is None:
                raise undecodable(text.name, options.encoding) from None
        return _read(other, options)


def _read(text: Text, options: DataSection) -> pa.Table:
    """Read a text as what its beginning says it is.

    Raises:
        UnicodeDecodeError: it is not in its encoding throughout.
        DataError: it is no table.
    """
    plan = _plan(text, options)
    try:
        return _table(plan)
    except pa.ArrowInvalid:
        check_encoding(text)
        raise explain(plan.text, plan.dialect, len(plan.header.names)) from None


def _plan(text: Text, options: DataSection) -> _Plan:
    dialect = find_dialect(text.sample, options, complete=text.complete)
    if dialect.loose:
        text = text.transformed(lambda: squeezing(dialect.delimiter, dialect.quote))
    rows = sample_rows(text.sample, dialect, complete=text.complete)
    if len(rows) < 2 and not text.complete:
        raise explain(text, dialect, common_width(rows))
    if not rows:
        raise DataError(f"{text.name} holds no rows", hint="fetch or export it again")
    header = find_header(rows, options, text.name)
    data = rows[1:] if header.in_file else rows
    if not data:
        raise DataError(f"{text.name} holds a header and no rows below it")
    check_names(header.names, text.name)
    writing = Writing(("", *options.missing), find_decimal(data, dialect, options.decimal))
    start = data_start(text.sample, dialect) if header.in_file else 0
    numbers = frozenset(
        at for at in range(len(header.names)) if _is_decimal(data, at, options.missing)
    )
    _log.debug("%s: %s, header=%s, decimal=%r", text.name, dialect, header.in_file, writing.decimal)
    return _Plan(text, dialect, header, writing, start, numbers)


def _is_decimal(rows: Rows, at: int, missing: Sequence[str]) -> bool:
    """Say whether a column has decimal numbers and nothing else in the sample."""
    cells = {row[at].strip() for row in rows if at < len(row)} - {"", *missing}
    whole = sum(1 for cell in cells if cell.lstrip("+-").isdigit())
    return whole < len(cells) and all(is_number(cell) for cell in cells)


def _table(plan: _Plan) -> pa.Table:
    columns = _parsed(plan).columns[::-1]
    missing = plan.writing.missing_numbers
    with ThreadPoolExecutor(pa.cpu_count(), "columns") as pool:
        # each is handed over, so that its text goes as soon as it is numbers
        pending = [
            pool.submit(_column, columns.pop(), plan.writing, missing) for _ in plan.header.names
        ]
    table = pa.table([column.result() for column in pending], names=list(plan.header.names))
    return plain_types(named_columns(table, plan.text.name), plan.text.name)


def _column(
    values: pa.ChunkedArray, writing: Writing, missing_numbers: pa.Array
) -> pa.ChunkedArray:
    if pa.types.is_string(values.type):
        return typed(values, writing)
    if pa.types.is_binary(values.type):
        raise pa.ArrowInvalid("bytes that are not UTF-8")
    return without(values, missing_numbers)


def _parsed(plan: _Plan) -> pa.Table:
    """Read decimal numbers as such and all else as text, whose type the whole column decides.

    Where text comes up among the numbers later on, Arrow gives the whole column as text.
    """
    names = [str(at) for at in range(len(plan.header.names))]
    texts = {name: pa.string() for at, name in enumerate(names) if at not in plan.numbers}
    longest = max(len(line) for line in plan.text.sample.splitlines() or [""])
    with plan.text.open(plan.start) as stream:
        return arrow_csv.read_csv(
            stream,
            read_options=arrow_csv.ReadOptions(
                column_names=names, block_size=max(_BLOCK, 8 * longest)
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=plan.dialect.delimiter,
                quote_char=plan.dialect.quote,
                # without it Arrow may split such a cell at a block's end, without an error
                newlines_in_values=True,
                invalid_row_handler=_judge,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=texts,
                null_values=list(plan.writing.missing),
                strings_can_be_null=True,
                decimal_point=plan.writing.decimal or ".",
            ),
        )


def _judge(row: arrow_csv.InvalidRow) -> str:
    """Pass over a line of blanks; any other row with too few or too many cells is an error."""
    return "error" if row.text.strip(" \t\x1a") else "skip"
