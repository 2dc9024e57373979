"""A CSV as blocks of checked rows, read as it arrives: its header by the contract's names."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightmodel.config import DataSection
from lightmodel.contract.columns import ColumnType
from lightmodel.errors import SHOWN_ROWS, DataError, TooLarge, Violation
from lightmodel.tables.byte_stream import Pieces
from lightmodel.tables.cells import IN_NO_ROW, Layout, RawRows, is_marked
from lightmodel.tables.dialect import Dialect, find_decimal, given_delimiter, sample_rows
from lightmodel.tables.row_reader import RowReader
from lightmodel.tables.row_rules import Block, Plan, RowRules
from lightmodel.tables.whitespace import squeezing

LONGEST_ROW = 8 << 20
_DELIMITERS = (",", ";", "\t", "|", " ")
_SAMPLE_ROWS = 20
_QUOTED_COMMA = re.compile(rb'"[+-]?[0-9]*,[0-9]')


@dataclass(frozen=True)
class CsvBlocks:
    """Reads CSV for one contract.

    Attributes:
        rules: of the contract.
        reader: of rows.
        options: how the text is written, where that is not to be found out.
        columns: the most that a header may have.
    """

    rules: RowRules
    reader: RowReader
    options: DataSection
    columns: int

    def read(self, pieces: Pieces) -> Iterator[Block]:
        """Give blocks of rows, at least one row in all.

        Args:
            pieces: of the text, in UTF-8, some megabytes each.

        Raises:
            DataError: it has no header or no rows, or its quotes make no sense.
            ContractViolation: columns are absent or stand there twice.
            TooLarge: it has too many columns, or a row of more than 8 MB.
        """
        beginning, pieces = _with_header(pieces)
        header = self._header(beginning)
        plan = self.rules.plan(header.names)
        layout = self._layout(plan, header)
        below = _behind(pieces, header.length)
        if header.delimiter == " ":
            below = _squeezed(below)
        rows = 0
        for raw in _raw_rows(below, layout, self.reader):
            rows += len(raw.numbers)
            yield self._block(raw, plan)
        if not rows:
            raise DataError("the body holds a header and no rows below it")

    def _header(self, beginning: bytes) -> "_Header":
        """Choose the delimiter under which most of the contract's columns are found."""
        given = given_delimiter(self.options.delimiter)
        known = self.rules.known
        candidates = []
        for mark in [given] if given else _DELIMITERS:
            candidates.append(_header(beginning, mark))
            if self.rules.places.keys() <= set(candidates[-1].names):
                break
        best = max(candidates, key=lambda header: len(known & set(header.names)))
        if self.options.columns and not known & set(best.names):
            width = [
                one for one in candidates if len(one.names) == len(self.options.columns)
            ] or candidates
            best = _Header(self.options.columns, width[0].delimiter, 0, beginning)
        if len(best.names) > self.columns:
            raise TooLarge(
                f"the header has {len(best.names):,} columns, and serve.max_columns is {self.columns:,}"
            )
        return best

    def _layout(self, plan: Plan, header: "_Header") -> Layout:
        return Layout(
            plan.kinds,
            plan.places,
            len(self.rules.places),
            delimiter=header.delimiter,
            decimal=_decimal(header, self.options.decimal),
            missing=self.options.missing,
        )

    def _block(self, raw: RawRows, plan: Plan) -> Block:
        texts = dict(zip(plan.texts, raw.texts, strict=True))
        missing = frozenset(self.options.missing)
        violations, unseen = self.rules.hold(raw.numbers, texts, missing)
        if raw.ragged:
            violations = (_ragged(raw, len(plan.kinds)), *violations)
        return Block(raw.numbers, self._ids(texts), violations, unseen, plan.extra)

    def _ids(self, texts: Mapping[str, list[str | None]]) -> list[Any] | None:
        column = self.rules.contract.id
        if column is None or column.name not in texts:
            return None
        ids = texts[column.name]
        whole = column.type is ColumnType.INTEGER
        return [_whole(text) for text in ids] if whole else list(ids)


def _ragged(raw: RawRows, cells: int) -> Violation:
    first = np.ascontiguousarray(raw.numbers[:, 0])
    rows = tuple(int(row) + 1 for row in np.flatnonzero(is_marked(first, IN_NO_ROW))[:SHOWN_ROWS])
    return Violation("", "cells", f"has not {cells} cells, as the header has", rows, raw.ragged)


@dataclass(frozen=True)
class _Header:
    """Names, and how they are written: the header's length is in bytes, with its line's end."""

    names: tuple[str, ...]
    delimiter: str
    length: int
    beginning: bytes


def _with_header(pieces: Pieces) -> tuple[bytes, Pieces]:
    """Read until there is a whole line; give what was read, and all of it again."""
    held = b""
    for piece in pieces:
        held += piece
        if held.strip() and (b"\n" in held.lstrip() or b"\r" in held.lstrip()):
            break
        if len(held) > LONGEST_ROW:
            raise TooLarge(f"the first line is longer than {LONGEST_ROW >> 20} MB")
    if not held.strip():
        raise DataError("the body is empty", hint="send a header and at least one row")

    def again() -> Pieces:
        yield held
        yield from pieces

    return held, again()


def _header(beginning: bytes, delimiter: str) -> _Header:
    """Split the first line that is not blank; quoted names may hold line ends."""
    lines = io.StringIO(_first_lines(beginning).decode(), newline="").readlines()
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        row = next(row for row in reader if row and (len(row) > 1 or row[0].strip()))
    except csv.Error:
        raise DataError("the first line is no header: a quote in it is never closed") from None
    used = sum(len(line.encode()) for line in lines[: reader.line_num])
    names = tuple(name.strip() for name in row)
    while len(names) > 1 and delimiter == " " and not names[-1]:
        names = names[:-1]
    return _Header(names, delimiter, used, beginning)


def _first_lines(beginning: bytes) -> bytes:
    """Cut after the first line, where no quote in it is open; to decode more would take longer."""
    start = len(beginning) - len(beginning.lstrip())
    end = beginning.find(b"\n", start) + 1
    return beginning if not end or beginning.count(b'"', 0, end) % 2 else beginning[:end]


def _decimal(header: _Header, given: str) -> str:
    """Find out the decimal mark from some rows, where a comma may be one."""
    if given != "auto":
        return given
    sample = header.beginning[header.length :][: 64 << 10]
    if header.delimiter == "," and not _QUOTED_COMMA.search(sample):
        return "."
    below = sample.decode(errors="ignore")
    dialect = Dialect(header.delimiter)
    rows = sample_rows(below, dialect, complete=False)[:_SAMPLE_ROWS]
    return find_decimal(rows, dialect, given) or "."


def _behind(pieces: Pieces, length: int) -> Pieces:
    for piece in pieces:
        if rest := piece[length:]:
            yield rest
        length = max(0, length - len(piece))


def _squeezed(pieces: Pieces) -> Pieces:
    squeeze = squeezing(" ", '"')
    for piece in pieces:
        yield squeeze(piece)
    yield squeeze(b"")


def _raw_rows(pieces: Pieces, layout: Layout, reader: RowReader) -> Iterator[RawRows]:
    left = b""
    for piece in pieces:
        left += piece
        raw = reader(layout, left, final=False)
        while raw.consumed:
            yield raw
            left = left[raw.consumed :]
            raw = reader(layout, left, final=False)
        if len(left) > LONGEST_ROW:
            raise TooLarge(
                f"a row is longer than {LONGEST_ROW >> 20} MB",
                hint="look for a quote that is never closed, or for lines without an end",
            )
    while left:
        raw = reader(layout, left, final=True)
        yield raw
        if not raw.consumed:
            return
        left = left[raw.consumed :]


def _whole(text: str | None) -> int | str | None:
    """Give an id that is a whole number as such; any other as it came."""
    if (
        text is None
        or not text.isascii()
        or not text.isdigit()
        or (text[0] == "0" and len(text) > 1)
    ):
        return text
    return int(text) if len(text) < 19 else text
