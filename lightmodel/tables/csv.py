"""Read CSV files of any dialect with Arrow, on all cores."""

import logging
import re
from collections.abc import Iterable, Iterator
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
from lightmodel.tables.byte_stream import CHUNK_BYTES, Chunks, rechunk, skip_bytes
from lightmodel.tables.column_types import infer_type, null_numbers, to_plain_types
from lightmodel.tables.csv_errors import unreadable
from lightmodel.tables.csv_plan import Plan, make_plan
from lightmodel.tables.encode import trim
from lightmodel.tables.mapped import mapped_table, moved_with
from lightmodel.tables.row_readers import UNCLOSED_QUOTE, grammar_of, is_blank_line

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_CONVERSION_ERROR = re.compile(r"In CSV column #(\d+): .*conversion error", re.DOTALL)


class _IrregularText(Exception):
    """Arrow does not split the text into rows correctly."""


class _NotANumber(Exception):
    """A column that holds only numbers in the sample holds something else as well."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


def read(path: Path, options: DataSection, folder: Path | None = None) -> TableRead:
    """Read a CSV file, plain or gzipped; see `TableFormat`.

    Raises:
        ConfigError: the delimiter or encoding in `options` is invalid.
        DataError: it is not a CSV table; ragged rows are named by their line numbers.
    """
    with translate_errors(path.name, "CSV"):
        plan = make_plan(open_text(path, options.encoding), options)
        try:
            return _read(plan, folder)
        except (pa.ArrowInvalid, _IrregularText):
            plan = replace(plan, regular=True)
        try:
            return _read(plan, folder)
        except (pa.ArrowInvalid, _IrregularText):
            pass
        except DataError as error:
            if error.message != UNCLOSED_QUOTE:
                raise
        raise unreadable(plan.text, plan.dialect, plan.top, plan.width)


def _read(plan: Plan, folder: Path | None) -> TableRead:
    parsed, encoding, plan = _parse_as_text(plan, folder)
    columns = parsed.columns[::-1]
    del parsed
    with ThreadPoolExecutor(pa.cpu_count(), "columns") as pool:
        # pop() drops our reference, so that a column's text is freed once it is converted
        pending = [pool.submit(_infer_column, columns.pop(), plan) for _ in plan.header.names]
    inferred = [column.result() for column in pending]
    marks = {mark for _, mark in inferred if mark}
    if len(marks) > 1:  # they come too late in the text to be in the sample
        return _read(replace(plan, dialect=replace(plan.dialect, decimal=".")), folder)
    table = pa.table([values for values, _ in inferred], names=list(plan.header.names))
    decimal = plan.dialect.decimal or "".join(marks)
    table = to_plain_types(table, plan.text.name)
    return TableRead(table, replace(plan.dialect, decimal=decimal, encoding=encoding))


def _parse_as_text(plan: Plan, folder: Path | None) -> tuple[pa.Table, str, Plan]:
    """Parse the rows with fewer columns of numbers, where the sample was wrong about them."""
    wrong = frozenset[int]()
    while True:
        try:
            return *_parse(plan, folder), plan
        except _NotANumber as error:
            # one such column is common; where there are more, there may be many, each found by a pass
            wrong = plan.numbers if wrong else frozenset({error.at})
            plan = replace(plan, numbers=plan.numbers - wrong)


def _infer_column(values: pa.ChunkedArray, plan: Plan) -> tuple[pa.ChunkedArray, str]:
    """Return a column in its inferred type, and its decimal mark ("" if it has none)."""
    inferred, mark = _infer(values, plan)
    return moved_with(inferred, values), mark


def _infer(values: pa.ChunkedArray, plan: Plan) -> tuple[pa.ChunkedArray, str]:
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


def _parse(plan: Plan, folder: Path | None) -> tuple[pa.Table, str]:
    """Read the columns in `plan.numbers` as numbers, and all others as text to be inferred later.

    Raises:
        _NotANumber: text occurs among the numbers, beyond the sample.
    """
    utf8 = plan.text.utf8()
    schema = pa.schema([(name, kind) for name, kind in _types(plan).items()])
    try:
        batches = _regular_rows(_open(plan, utf8))
        if folder is None:
            table = pa.Table.from_batches(batches, schema)
        else:
            table = mapped_table(batches, schema, folder)
    except pa.ArrowInvalid as error:
        found = _CONVERSION_ERROR.match(str(error))
        at = int(found[1]) if found else -1
        raise (_NotANumber(at) if at in plan.numbers else error) from None
    is_utf8 = utf8.encoding in {"ascii", "utf-8"} or utf8.marked
    if not is_utf8 and not plan.text.encoding:
        _log.warning(
            "%s is not UTF-8; it is read as Windows-1252 (see data.encoding)", plan.text.name
        )
    return table, "utf-8" if is_utf8 else utf8.encoding


def _types(plan: Plan) -> dict[str, pa.DataType]:
    return {
        str(at): pa.float64() if at in plan.numbers else pa.string() for at in range(plan.width)
    }


def _open(plan: Plan, utf8: Chunks) -> arrow_csv.CSVStreamingReader:
    """Return the reader of all rows, and of one row of empty cells below the last one."""
    longest = max(len(line) for line in plan.text.sample.splitlines() or [""])
    dialect, types = plan.dialect, _types(plan)
    chunks: Chunks = rechunk(skip_bytes(utf8, plan.start), CHUNK_BYTES)
    if plan.regular:
        rows = grammar_of(dialect.delimiter, dialect.quote, single=plan.width == 1)
        chunks = rows.regularize_chunks(chunks)
    last = dialect.delimiter.join([dialect.quote * 2] * plan.width)
    return arrow_csv.open_csv(
        # a line before the first row, because Arrow would drop a byte-order mark there
        arrow_stream(chain([b"\n"], chunks, [f"\n{last}\n".encode()])),
        read_options=arrow_csv.ReadOptions(
            column_names=list(types), block_size=max(_BLOCK, 8 * longest)
        ),
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
            column_types=types,
            null_values=list(dialect.na_values),
            strings_can_be_null=True,
            decimal_point=dialect.decimal or ".",
        ),
    )


def _regular_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield all rows but the last one, which was appended.

    Raises:
        _IrregularText: an unclosed quote has swallowed the appended row.
    """
    held: pa.RecordBatch | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        if held is not None:
            yield held
        held = batch
    if held is None or any(column[-1].is_valid for column in held.columns):
        raise _IrregularText
    yield held.slice(0, held.num_rows - 1)
