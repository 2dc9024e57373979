"""Detect what must be known before a CSV file is read: its header, its dialect, and how to parse it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightmodel.config import DataSection
from lightmodel.contract.columns import Dialect
from lightmodel.errors import DataError
from lightmodel.tables.base import Text, configured_dialect, refuse_duplicates
from lightmodel.tables.csv_errors import unreadable
from lightmodel.tables.preamble import (
    Preamble,
    configured_preamble,
    detect_titles,
    needs_titles,
    report_titles,
    units_below,
)
from lightmodel.tables.row_readers import grammar_of
from lightmodel.tables.sniff import (
    Header,
    Rows,
    common_width,
    detect_decimal,
    detect_delimiter_and_quote,
    detect_header,
    is_number,
    may_be_grouped,
    sample_rows,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
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


def make_plan(text: Text, options: DataSection) -> Plan:
    """Detect the header and the dialect in the first bytes of a file.

    Raises:
        ConfigError: the delimiter in `options` is invalid.
        DataError: there are no rows below the header, or a row is far too long.
    """
    above, given, cells = _rows_below_titles(text, options)
    if not cells and text.complete:
        raise DataError(f"{text.name} holds no rows", hint="fetch or export it again")
    top = len(text.sample[: above.length].encode())
    if len(cells) < 2 and not text.complete:
        raise unreadable(text, given, top, common_width(cells))
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
    return Plan(text, dialect, header, top, start, numbers, regular, grouped)


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
