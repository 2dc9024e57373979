"""CSV files, in the many ways that people and programs write them, read by Arrow on all cores."""

import csv
import io
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from lightmodel.config import DataSection
from lightmodel.contract.columns import Dialect
from lightmodel.errors import SHOWN_ROWS, DataError
from lightmodel.tables.base import (
    TableRead,
    Text,
    check_names,
    given_dialect,
    open_text,
    reported,
    stream_of,
)
from lightmodel.tables.byte_stream import AT_ONCE, behind, gathered
from lightmodel.tables.column_types import plain_types, typed, without_numbers
from lightmodel.tables.encode import trimmed
from lightmodel.tables.row_readers import (
    OPEN_QUOTE,
    is_blank,
    is_blank_line,
    numbered_rows,
    rows_of,
    sample_rows,
)
from lightmodel.tables.sniff import (
    Header,
    Rows,
    common_width,
    find_decimal,
    find_header,
    find_marks,
    is_number,
)

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_NAMED = {"\t": "a tab", " ": "blanks"}
_ENDLESS = 1_000  # lines of one cell


class _Unreadable(Exception):
    """Arrow does not part the text into rows as it should."""


@dataclass(frozen=True)
class _Plan:
    """What was detected before reading.

    Attributes:
        start: bytes of the text before the first data row.
        numbers: positions of the columns that hold decimal numbers in the sample.
        regular: whether the text is made regular first: see `row_readers.RowGrammar`.
    """

    text: Text
    dialect: Dialect
    header: Header
    start: int
    numbers: frozenset[int]
    regular: bool

    @property
    def width(self) -> int:
        """Cells in a row."""
        return len(self.header.names)


def read(path: Path, options: DataSection) -> TableRead:
    """Read a CSV file, plain or packed with gzip; see `TableFormat` for what holds of the table.

    Raises:
        ConfigError: the delimiter or encoding that `options` name is none.
        DataError: it is no CSV table; ragged rows are named by their line numbers.
    """
    with reported(path.name, "CSV"):
        plan = _plan(open_text(path, options.encoding), options)
        try:
            return _read(plan)
        except (pa.ArrowInvalid, _Unreadable):
            plan = replace(plan, regular=True)
        try:
            return _read(plan)
        except (pa.ArrowInvalid, _Unreadable):
            raise _explain(plan) from None
        except DataError as error:
            raise _explain(plan) if error.message == OPEN_QUOTE else error from None


def _plan(text: Text, options: DataSection) -> _Plan:
    given = given_dialect(options)
    delimiter, quote = find_marks(text.sample, given, complete=text.complete)
    given = replace(given, delimiter=delimiter, quote=quote)
    rows = rows_of(delimiter, quote)
    sample, start = text.sample, 0
    if delimiter == " ":
        sample = rows.regular(sample.encode()).decode()
    cells = sample_rows(sample, delimiter, quote, complete=text.complete)
    if not cells and text.complete:
        raise DataError(f"{text.name} holds no rows", hint="fetch or export it again")
    if len(cells) < 2 and not text.complete:
        header = Header(("",) * common_width(cells), in_file=False)
        raise _explain(_Plan(text, given, header, 0, frozenset(), regular=True))
    header = find_header(cells, options, text.name)
    data = cells[1:] if header.in_file else cells
    if not data:
        raise DataError(f"{text.name} holds a header and no rows below it")
    check_names(header.names, text.name)
    if header.in_file:
        _, start = rows.first(text.sample.encode())
    dialect = replace(
        given, decimal=given.decimal or find_decimal(data, delimiter), header=header.replaced
    )
    numbers = frozenset(
        at for at in range(len(header.names)) if _is_decimal(data, at, options.na_values)
    )
    _log.debug("%s: %s", text.name, dialect)
    regular = delimiter == " " or len(header.names) == 1
    return _Plan(text, dialect, header, start, numbers, regular)


def _is_decimal(rows: Rows, at: int, missing: Sequence[str]) -> bool:
    """Return whether a column has decimal numbers and nothing else in the sample."""
    cells = {row[at].strip() for row in rows if at < len(row)} - {"", *missing}
    whole = sum(1 for cell in cells if cell.lstrip("+-").isdigit())
    return whole < len(cells) and all(is_number(cell) for cell in cells)


def _read(plan: _Plan) -> TableRead:
    parsed, encoding = _parsed(plan)
    columns = parsed.columns[::-1]
    del parsed
    with ThreadPoolExecutor(pa.cpu_count(), "columns") as pool:
        # each is handed over, so that its text goes as soon as it is numbers
        pending = [pool.submit(_column, columns.pop(), plan) for _ in plan.header.names]
    found = [column.result() for column in pending]
    marks = {mark for _, mark in found if mark}
    if len(marks) > 1:  # they come too late in the text to be in the sample
        return _read(replace(plan, dialect=replace(plan.dialect, decimal=".")))
    table = pa.table([values for values, _ in found], names=list(plan.header.names))
    decimal = plan.dialect.decimal or "".join(marks)
    table = plain_types(table, plan.text.name)
    return TableRead(table, replace(plan.dialect, decimal=decimal, encoding=encoding))


def _column(values: pa.ChunkedArray, plan: _Plan) -> tuple[pa.ChunkedArray, str]:
    """Type a column; give the decimal mark that it has, too."""
    dialect = plan.dialect
    if pa.types.is_floating(values.type):
        return without_numbers(values, dialect.na_values), dialect.decimal or "."
    if not pa.types.is_string(values.type):
        return values, ""
    if not plan.regular and _may_be_irregular(values, dialect.quote):
        raise _Unreadable
    values, mark = typed(values, dialect.na_values, dialect.decimal)
    return without_numbers(values, dialect.na_values), mark


def _may_be_irregular(texts: pa.ChunkedArray, quote: str) -> bool:
    """Return whether a quote may stand behind blanks, or may have swallowed rows."""
    found = pc.or_(pc.starts_with(trimmed(texts), quote), pc.match_substring_regex(texts, "[\r\n]"))
    return bool(pc.any(found).as_py())


def _parsed(plan: _Plan) -> tuple[pa.Table, str]:
    """Read decimal numbers as such and all else as text, whose type the whole column decides.

    Where text comes up among the numbers later on, Arrow gives the whole column as text.
    """
    names = [str(at) for at in range(plan.width)]
    texts = {name: pa.string() for at, name in enumerate(names) if at not in plan.numbers}
    longest = max(len(line) for line in plan.text.sample.splitlines() or [""])
    utf8, dialect = plan.text.utf8(), plan.dialect
    pieces: Iterator[bytes] = gathered(behind(utf8, plan.start), AT_ONCE)
    if plan.regular:
        rows = rows_of(dialect.delimiter, dialect.quote, single=plan.width == 1)
        pieces = rows.regular_pieces(pieces)
    last = dialect.delimiter.join([dialect.quote * 2] * plan.width)
    table = arrow_csv.read_csv(
        # a line before the first row, for Arrow takes away what looks like a byte-order mark there
        stream_of(chain([b"\n"], pieces, [f"\n{last}\n".encode()])),
        read_options=arrow_csv.ReadOptions(column_names=names, block_size=max(_BLOCK, 8 * longest)),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote,
            # without it Arrow may split such a cell at a block's end, without an error
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
        raise _Unreadable  # a quote is open at the end, and has swallowed the row put there
    told = utf8.encoding in {"ascii", "utf-8"} or utf8.marked
    if not told and not plan.text.told:
        _log.warning(
            "%s is not UTF-8; it is read as Windows-1252 (see data.encoding)", plan.text.name
        )
    return table.slice(0, table.num_rows - 1), "utf-8" if told else utf8.encoding


def _explain(plan: _Plan) -> DataError:
    """Find out, in a second and slower pass, which lines have another number of cells."""
    name, dialect = plan.text.name, plan.dialect
    shown, total, before = [], 0, 0
    try:
        for last, row in _numbered(plan):
            if last - before > _ENDLESS:
                return _endless(name, before + 1)
            if len(row) != plan.width and not is_blank(row):
                total += 1
                shown.append(f"line {before + 1:,} has {len(row)}")
                del shown[SHOWN_ROWS:]
            before = last
    except csv.Error:
        return _endless(name, before + 1)
    if not total:
        hint = "is a quote never closed? Is the file damaged or cut short?"
        return DataError(f"{name} cannot be read as CSV", hint=hint)
    more = ", …" if total > len(shown) else ""
    delimiter = _NAMED.get(dialect.delimiter, repr(dialect.delimiter))
    return DataError(
        f"{name}: {total:,} line{'s do' if total > 1 else ' does'} not have "
        f"{plan.width} cell{'s' if plan.width > 1 else ''}: {', '.join(shown)}{more}",
        hint=f"cells were taken to be parted by {delimiter} (data.delimiter sets it); "
        "a cell that holds the delimiter needs quotes",
    )


def _endless(name: str, line: int) -> DataError:
    return DataError(
        f"{name}: the row that begins in line {line:,} goes on for more than "
        f"{_ENDLESS:,} lines or 128 KB in one cell",
        hint="is a quote opened there and never closed? Write a quote inside a quoted cell twice",
    )


def _numbered(plan: _Plan) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of its last line."""
    marks = plan.dialect.delimiter, plan.dialect.quote
    pieces: Iterator[bytes] = plan.text.utf8()
    if plan.dialect.delimiter == " ":
        pieces = rows_of(*marks).regular_pieces(pieces)
    with stream_of(pieces) as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        yield from numbered_rows(lines, *marks)
