"""Read CSV files of any dialect with Arrow, on all cores."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from lightmodel.config import DataSection
from lightmodel.errors import DataError
from lightmodel.tables.amounts import are_grouped
from lightmodel.tables.base import TableRead, arrow_stream, open_text, translate_errors
from lightmodel.tables.byte_stream import CHUNK_BYTES, rechunk, skip_bytes
from lightmodel.tables.column_types import infer_type, null_numbers, to_plain_types
from lightmodel.tables.csv_errors import unreadable
from lightmodel.tables.csv_plan import Plan, make_plan
from lightmodel.tables.encode import trim
from lightmodel.tables.row_readers import UNCLOSED_QUOTE, grammar_of, is_blank_line

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20


class _IrregularText(Exception):
    """Arrow does not split the text into rows correctly."""


def read(path: Path, options: DataSection) -> TableRead:
    """Read a CSV file, plain or gzipped; see `TableFormat` for the properties of the table.

    Raises:
        ConfigError: the delimiter or encoding in `options` is invalid.
        DataError: it is not a CSV table; ragged rows are named by their line numbers.
    """
    with translate_errors(path.name, "CSV"):
        plan = make_plan(open_text(path, options.encoding), options)
        try:
            return _read(plan)
        except (pa.ArrowInvalid, _IrregularText):
            plan = replace(plan, regular=True)
        try:
            return _read(plan)
        except (pa.ArrowInvalid, _IrregularText):
            pass
        except DataError as error:
            if error.message != UNCLOSED_QUOTE:
                raise
        raise unreadable(plan.text, plan.dialect, plan.top, plan.width)


def _read(plan: Plan) -> TableRead:
    parsed, encoding = _parse(plan)
    columns = parsed.columns[::-1]
    del parsed
    with ThreadPoolExecutor(pa.cpu_count(), "columns") as pool:
        # pop() drops our reference, so that a column's text is freed once it is converted
        pending = [pool.submit(_infer_column, columns.pop(), plan) for _ in plan.header.names]
    inferred = [column.result() for column in pending]
    marks = {mark for _, mark in inferred if mark}
    if len(marks) > 1:  # they come too late in the text to be in the sample
        return _read(replace(plan, dialect=replace(plan.dialect, decimal=".")))
    table = pa.table([values for values, _ in inferred], names=list(plan.header.names))
    decimal = plan.dialect.decimal or "".join(marks)
    table = to_plain_types(table, plan.text.name)
    return TableRead(table, replace(plan.dialect, decimal=decimal, encoding=encoding))


def _infer_column(values: pa.ChunkedArray, plan: Plan) -> tuple[pa.ChunkedArray, str]:
    """Return a column in its inferred type, and its decimal mark ("" if it has none)."""
    dialect = plan.dialect
    if pa.types.is_floating(values.type):
        return null_numbers(values, dialect.na_values), dialect.decimal or "."
    if not pa.types.is_string(values.type):
        return values, ""
    if not plan.regular and _may_be_irregular(values, dialect.quote):
        raise _IrregularText
    read, mark = infer_type(values, dialect.na_values, dialect.decimal)
    if mark and plan.grouped and are_grouped(values, mark):
        return values, ""  # to be read as amounts, by a format
    return null_numbers(read, dialect.na_values), mark


def _may_be_irregular(texts: pa.ChunkedArray, quote: str) -> bool:
    """Return whether a quote may follow whitespace, or may have swallowed rows."""
    if not any(
        mark in text for text in _joined_cells(texts) for mark in (b"\n", b"\r", quote.encode())
    ):
        return False  # the slow question does not arise
    odd = pc.or_(pc.starts_with(trim(texts), quote), pc.match_substring_regex(texts, "[\r\n]"))
    return bool(pc.any(odd).as_py())


def _joined_cells(texts: pa.ChunkedArray) -> Iterator[bytes]:
    """Yield the cells of each chunk, without anything between them."""
    for chunk in texts.chunks:
        _, offsets, cells = chunk.buffers()
        if cells is not None:
            ends = np.frombuffer(offsets, np.int32, len(chunk) + 1, 4 * chunk.offset)
            yield cells.slice(int(ends[0]), int(ends[-1] - ends[0])).to_pybytes()


def _parse(plan: Plan) -> tuple[pa.Table, str]:
    """Read the columns in `plan.numbers` as numbers, and all others as text to be inferred later.

    Where text occurs among the numbers beyond the sample, Arrow returns the whole column as text.
    """
    names = [str(at) for at in range(plan.width)]
    texts = {name: pa.string() for at, name in enumerate(names) if at not in plan.numbers}
    longest = max(len(line) for line in plan.text.sample.splitlines() or [""])
    utf8, dialect = plan.text.utf8(), plan.dialect
    chunks: Iterator[bytes] = rechunk(skip_bytes(utf8, plan.start), CHUNK_BYTES)
    if plan.regular:
        rows = grammar_of(dialect.delimiter, dialect.quote, single=plan.width == 1)
        chunks = rows.regularize_chunks(chunks)
    last = dialect.delimiter.join([dialect.quote * 2] * plan.width)
    table = arrow_csv.read_csv(
        # a line before the first row, because Arrow would drop a byte-order mark there
        arrow_stream(chain([b"\n"], chunks, [f"\n{last}\n".encode()])),
        read_options=arrow_csv.ReadOptions(column_names=names, block_size=max(_BLOCK, 8 * longest)),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote,
            # without it, Arrow may silently split such a cell at the end of a block
            newlines_in_values=True,
            invalid_row_handler=lambda row: (
                "skip" if is_blank_line(row.text, dialect.delimiter) else "error"
            ),
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=texts,
            null_values=list(dialect.na_values),
            strings_can_be_null=True,
            decimal_point=dialect.decimal or ".",
        ),
    )
    if any(column[-1].is_valid for column in table.columns):
        raise _IrregularText  # an unclosed quote has swallowed the row appended above
    is_utf8 = utf8.encoding in {"ascii", "utf-8"} or utf8.marked
    if not is_utf8 and not plan.text.encoding:
        _log.warning(
            "%s is not UTF-8; it is read as Windows-1252 (see data.encoding)", plan.text.name
        )
    return table.slice(0, table.num_rows - 1), "utf-8" if is_utf8 else utf8.encoding
