"""Read CSV files of any dialect with Arrow, on all cores."""

import csv
import io
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from lightmodel.config import DataSection
from lightmodel.contract.columns import Dialect
from lightmodel.errors import SHOWN_ROWS, DataError
from lightmodel.tables.amounts import are_grouped
from lightmodel.tables.base import (
    TableRead,
    Text,
    arrow_stream,
    configured_dialect,
    open_text,
    refuse_duplicates,
    translate_errors,
)
from lightmodel.tables.byte_stream import CHUNK_BYTES, rechunk, skip_bytes
from lightmodel.tables.column_types import infer_type, null_numbers, to_plain_types
from lightmodel.tables.encode import trim
from lightmodel.tables.preamble import (
    Preamble,
    configured_preamble,
    detect_titles,
    needs_titles,
    report_titles,
    units_below,
)
from lightmodel.tables.row_readers import UNCLOSED_QUOTE, grammar_of, is_blank_line
from lightmodel.tables.sniff import (
    Header,
    Rows,
    common_width,
    detect_decimal,
    detect_delimiter_and_quote,
    detect_header,
    is_blank,
    is_number,
    may_be_grouped,
    numbered_rows,
    sample_rows,
)

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_DELIMITER_NAMES = {"\t": "a tab", " ": "whitespace"}
_MAX_ROW_LINES = 1_000  # lines of one cell


class _IrregularText(Exception):
    """Arrow does not split the text into rows correctly."""


@dataclass(frozen=True)
class _Plan:
    """What was detected before reading.

    Attributes:
        top: bytes of the text above the header.
        start: bytes of the text before the first data row.
        numbers: positions of the columns that hold decimal numbers in the sample.
        grouped: whether numbers such as 1,234 may have groups of digits: each column decides.
        regular: whether the text is regularized first: see `row_readers.RowGrammar`.
    """

    text: Text
    dialect: Dialect
    header: Header
    top: int
    start: int
    numbers: frozenset[int]
    regular: bool
    grouped: bool = False

    @property
    def width(self) -> int:
        """Cells in a row."""
        return len(self.header.names)


def read(path: Path, options: DataSection) -> TableRead:
    """Read a CSV file, plain or gzipped; see `TableFormat` for the properties of the table.

    Raises:
        ConfigError: the delimiter or encoding in `options` is invalid.
        DataError: it is not a CSV table; ragged rows are named by their line numbers.
    """
    with translate_errors(path.name, "CSV"):
        plan = _plan(open_text(path, options.encoding), options)
        try:
            return _read(plan)
        except (pa.ArrowInvalid, _IrregularText):
            plan = replace(plan, regular=True)
        try:
            return _read(plan)
        except (pa.ArrowInvalid, _IrregularText):
            raise _explain(plan) from None
        except DataError as error:
            raise _explain(plan) if error.message == UNCLOSED_QUOTE else error from None


def _plan(text: Text, options: DataSection) -> _Plan:
    above, given, cells = _rows_below_titles(text, options)
    if not cells and text.complete:
        raise DataError(f"{text.name} holds no rows", hint="fetch or export it again")
    top = len(text.sample[: above.length].encode())
    if len(cells) < 2 and not text.complete:
        header = Header(("",) * common_width(cells), in_file=False)
        raise _explain(_Plan(text, given, header, top, top, frozenset(), regular=True))
    header = detect_header(cells, options, text.name)
    data = cells[1:] if header.in_file else cells
    if not data:
        raise DataError(f"{text.name} holds a header and no rows below it")
    refuse_duplicates(header.names, text.name)
    units = () if not header.in_file else units_below(header.names, data, options, text.name)
    data = data[1:] if units else data
    start = top
    for _ in range(header.in_file + bool(units)):
        _, start = grammar_of(given.delimiter, given.quote).first_row(text.sample.encode(), start)
    decimal = given.decimal or detect_decimal(data, given.delimiter)
    dialect = replace(
        given, decimal=decimal, header=header.replaced, skip_rows=above.lines, units=units
    )
    grouped = not given.decimal and may_be_grouped(data)
    numbers = frozenset(
        at
        for at in range(len(header.names))
        if not grouped and _is_decimal(data, at, options.missing_texts)
    )
    _log.debug("%s: %s", text.name, dialect)
    regular = given.delimiter == " " or len(header.names) == 1
    return _Plan(text, dialect, header, top, start, numbers, regular, grouped)


def _rows_below_titles(
    text: Text, options: DataSection
) -> tuple[Preamble, Dialect, list[list[str]]]:
    """Return what stands above the header, the delimiter and quote, and the sample's rows below it."""
    above = configured_preamble(text.sample, options)
    dialect, cells = _split(text, above, options)
    if options.skip_rows == "auto" and dialect.delimiter != " " and needs_titles(cells):
        rest = text.sample[above.length :]
        configured = replace(dialect, delimiter=configured_dialect(options).delimiter)
        given = replace(configured, delimiter=configured.delimiter or above.delimiter)
        if (titles := detect_titles(rest, given, options, complete=text.complete)).lines:
            above = above.followed_by(titles)
            dialect, cells = _split(text, above, options)
    report_titles(above, options, text.name)
    return above, dialect, cells


def _split(text: Text, above: Preamble, options: DataSection) -> tuple[Dialect, list[list[str]]]:
    """Return the delimiter and quote, detected below what is skipped, and the sample's rows."""
    given, sample = configured_dialect(options), text.sample[above.length :]
    given = replace(given, delimiter=given.delimiter or above.delimiter)
    delimiter, quote = detect_delimiter_and_quote(sample, given, complete=text.complete)
    if delimiter == " ":
        sample = grammar_of(delimiter, quote).regularize(sample.encode()).decode()
    rows = sample_rows(sample, delimiter, quote, complete=text.complete)
    return replace(given, delimiter=delimiter, quote=quote), rows


def _is_decimal(rows: Rows, at: int, missing: Sequence[str]) -> bool:
    """Return whether a column holds only numbers in the sample, some of them decimal."""
    cells = {row[at].strip() for row in rows if at < len(row)} - {"", *missing}
    whole = sum(1 for cell in cells if cell.lstrip("+-").isdigit())
    return whole < len(cells) and all(is_number(cell) for cell in cells)


def _read(plan: _Plan) -> TableRead:
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


def _infer_column(values: pa.ChunkedArray, plan: _Plan) -> tuple[pa.ChunkedArray, str]:
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


def _parse(plan: _Plan) -> tuple[pa.Table, str]:
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


def _explain(plan: _Plan) -> DataError:
    """Return an error that names the lines with a wrong number of cells, found in a slower pass."""
    name, dialect = plan.text.name, plan.dialect
    shown, total, before = [], 0, dialect.skip_rows
    try:
        for last, row in _numbered(plan):
            if last - before > _MAX_ROW_LINES:
                return _endless_row(name, before + 1)
            if len(row) != plan.width and not is_blank(row):
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
        f"{plan.width} cell{'s' if plan.width > 1 else ''}: {', '.join(shown)}{more}",
        hint=f"the delimiter was taken to be {delimiter} (data.delimiter sets it); "
        "a cell that holds the delimiter needs quotes; data.skip_rows skips lines above the header",
    )


def _endless_row(name: str, line: int) -> DataError:
    return DataError(
        f"{name}: the row that begins in line {line:,} goes on for more than "
        f"{_MAX_ROW_LINES:,} lines or 128 KB in one cell",
        hint="is a quote opened there and never closed? Double a quote inside a quoted cell",
    )


def _numbered(plan: _Plan) -> Iterator[tuple[int, list[str]]]:
    """Yield each row below the titles, with the number of its last line."""
    marks = plan.dialect.delimiter, plan.dialect.quote
    chunks = skip_bytes(plan.text.utf8(), plan.top)
    if plan.dialect.delimiter == " ":
        chunks = grammar_of(*marks).regularize_chunks(chunks)
    with arrow_stream(chunks) as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        for line, row in numbered_rows(lines, *marks):
            yield line + plan.dialect.skip_rows, row
