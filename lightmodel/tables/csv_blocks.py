"""A CSV as blocks of checked rows, read as it arrives, by the contract's names and dialect."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from lightmodel.contract.cells import IN_NO_ROW, is_marked, name_of
from lightmodel.contract.columns import ColumnType, Dialect
from lightmodel.errors import SHOWN_ROWS, DataError, TooLarge, Violation
from lightmodel.tables.byte_stream import Pieces, behind
from lightmodel.tables.row_readers import Layout, RawRows, RowReader, rows_of, sample_rows
from lightmodel.tables.row_rules import Block, Plan, RowRules
from lightmodel.tables.sniff import find_decimal, fitted

LONGEST_ROW = 8 << 20
_DELIMITERS = (",", ";", "\t", "|", " ")
_SAMPLE_ROWS = 20
_SAMPLE = 64 << 10
_QUOTED_COMMA = re.compile(rb'"[+-]?[0-9]*,[0-9]')


@dataclass(frozen=True)
class _Header:
    """The names of a row's cells, how these are parted, and the bytes before the first row."""

    names: tuple[str, ...]
    delimiter: str
    quote: str
    length: int


@dataclass(frozen=True)
class CsvBlocks:
    """Reads CSV for one contract, by the dialect of its table; what that leaves open is detected."""

    rules: RowRules
    reader: RowReader
    dialect: Dialect
    columns: int  # the most that a header may have

    def read(self, pieces: Pieces) -> Iterator[Block]:
        """Yield blocks of rows of a UTF-8 text, at least one row in all.

        Raises:
            DataError: it has no header or no rows, or its quotes make no sense.
            ContractViolation: columns are absent or stand there twice.
            TooLarge: it has too many columns, or a row of more than 8 MB.
        """
        beginning, pieces = _with_header(pieces)
        header = self._header(beginning)
        plan = self.rules.plan(header.names)
        layout = self._layout(plan, header, beginning)
        below = behind(pieces, header.length)
        if header.delimiter == " ":
            below = rows_of(" ", header.quote).regular_pieces(below)
        rows = 0
        for raw in _raw_rows(below, layout, self.reader):
            if len(raw.numbers):  # or only lines of blanks
                rows += len(raw.numbers)
                yield self._block(raw, plan, layout)
        if not rows:
            raise DataError("the body holds a header and no rows below it")

    def _header(self, beginning: bytes) -> _Header:
        """Choose the delimiter under which most of the contract's columns are found."""
        known = self.rules.known
        found = []
        for mark, quote in self._candidates(beginning):
            found.append(self._named(beginning, mark, quote))
            if self.rules.places.keys() <= set(found[-1].names):
                break
        best = max(found, key=lambda header: len(known & set(header.names)))
        if len(best.names) > self.columns:
            raise TooLarge(
                f"the header has {len(best.names):,} columns, and serve.max_columns is {self.columns:,}"
            )
        return best

    def _candidates(self, beginning: bytes) -> list[tuple[str, str]]:
        """Return pairs of a delimiter and a quote, the dialect's first."""
        own = self.dialect
        quote = '"' if own.quote == "'" and b'"' in beginning else own.quote
        pairs = [(own.delimiter, quote)] if own.delimiter else []
        return pairs + [(mark, '"') for mark in _DELIMITERS if mark != own.delimiter]

    def _named(self, beginning: bytes, delimiter: str, quote: str) -> _Header:
        """Read the first row as names, or name its cells by the dialect where it holds none."""
        start, length = rows_of(delimiter, quote).first(beginning)
        cells = _cells(beginning[start:length], delimiter, quote)
        names = tuple(map(name_of, cells))
        while len(names) > 1 and delimiter == " " and not names[-1]:
            names = names[:-1]
        columns = self.dialect.columns
        if len(columns) == len(names) and not self.rules.places.keys() <= set(names):
            length = length if names == self.dialect.header else 0
            return _Header(columns, delimiter, quote, length)
        start, end = rows_of(delimiter, quote).first(beginning, length)
        first = beginning[start:end]
        if delimiter != " " and first.count(delimiter.encode()) + 1 != len(names):
            below = beginning[length : length + _SAMPLE].decode(errors="ignore")
            names = fitted(
                names, sample_rows(below, delimiter, quote, complete=True)[:_SAMPLE_ROWS]
            )
        return _Header(names, delimiter, quote, length)

    def _layout(self, plan: Plan, header: _Header, beginning: bytes) -> Layout:
        return Layout(
            plan.kinds,
            plan.places,
            len(self.rules.places),
            delimiter=header.delimiter,
            quote=header.quote,
            decimal=self._decimal(header, beginning),
            missing=self.dialect.na_values,
        )

    def _decimal(self, header: _Header, beginning: bytes) -> str:
        """Return the dialect's decimal mark where its delimiter is in use, or find it out."""
        own = self.dialect
        if own.decimal and own.delimiter in {"", header.delimiter}:
            return own.decimal
        sample = beginning[header.length :][:_SAMPLE]
        if header.delimiter == "," and not _QUOTED_COMMA.search(sample):
            return "."
        below = sample.decode(errors="ignore")
        rows = sample_rows(below, header.delimiter, header.quote, complete=False)[:_SAMPLE_ROWS]
        return find_decimal(rows, header.delimiter) or "."

    def _block(self, raw: RawRows, plan: Plan, layout: Layout) -> Block:
        texts = dict(zip(plan.texts, raw.texts, strict=True))
        missing = frozenset(self.dialect.na_values)
        violations, unseen = self.rules.hold(raw.numbers, texts, missing, layout.decimal)
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


def _with_header(pieces: Pieces) -> tuple[bytes, Pieces]:
    """Read until there is a whole line; return what was read, and all of it again."""
    held = b""
    for piece in pieces:
        held += piece
        if held.strip() and (b"\n" in held.lstrip() or b"\r" in held.lstrip()):
            break
        if len(held) > LONGEST_ROW:
            raise TooLarge(f"the first line is longer than {LONGEST_ROW >> 20} MB")
    if not held.strip():
        raise DataError("the body is empty", hint="send a header and at least one row")

    return held, chain([held], pieces)


def _cells(row: bytes, delimiter: str, quote: str) -> list[str]:
    """Part one row; none where a cell has more than 128 KB, so that it is no header."""
    if delimiter == " ":
        row = rows_of(delimiter, quote).regular(row)
    rows = sample_rows(row.decode(errors="ignore"), delimiter, quote, complete=True)
    return rows[0] if rows else []


def _raw_rows(pieces: Pieces, layout: Layout, reader: RowReader) -> Iterator[RawRows]:
    left = b""
    for piece in pieces:
        left += piece
        raw = reader(layout, left, final=False)
        while raw.consumed:
            yield raw
            left = left[raw.consumed :]
            if not left:
                break
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
    """Return an id that is a whole number as such; any other as it came."""
    if (
        text is None
        or not text.isascii()
        or not text.isdigit()
        or (text[0] == "0" and len(text) > 1)
    ):
        return text
    return int(text) if len(text) < 19 else text
