"""Read a CSV as blocks of validated rows while it arrives, by the contract's names and dialect."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from lightmodel.contract.cells import RAGGED, is_marker, normalize_name
from lightmodel.contract.columns import ColumnType, Dialect
from lightmodel.errors import SHOWN_ROWS, DataError, TooLarge, Violation
from lightmodel.tables.byte_stream import Chunks, skip_bytes
from lightmodel.tables.row_readers import Layout, RawRows, RowReader, grammar_of
from lightmodel.tables.row_rules import Block, ColumnMapping, RowRules
from lightmodel.tables.sniff import detect_decimal, fit_to_width, sample_rows

LONGEST_ROW = 8 << 20
_DELIMITERS = (",", ";", "\t", "|", " ")
_QUOTED_FACTOR = 2  # delimiters in quotes separate nothing
_SAMPLE_ROWS = 20
_SAMPLE = 64 << 10
_QUOTED_COMMA = re.compile(rb'"[+-]?[0-9]*,[0-9]')


@dataclass(frozen=True)
class _Header:
    """Column names, delimiter and quote of a CSV, and `length`, the bytes before its first data row."""

    names: tuple[str, ...]
    delimiter: str
    quote: str
    length: int


@dataclass(frozen=True)
class CsvBlocks:
    """Reads CSV for one contract, by its dialect; what the dialect leaves open is detected."""

    rules: RowRules
    reader: RowReader
    dialect: Dialect
    columns: int  # the maximum in a header

    def read(self, chunks: Chunks) -> Iterator[Block]:
        """Yield blocks of rows of a UTF-8 text, at least one row in all.

        Raises:
            DataError: it has no header, no rows, or an unclosed quote.
            ContractViolation: columns are absent or duplicated.
            TooLarge: it has too many columns, or a row of more than 8 MB.
        """
        beginning, chunks = _peek_header(chunks)
        header = self._header(beginning)
        mapping = self.rules.map_columns(header.names)
        layout = self._layout(mapping, header, beginning)
        below = skip_bytes(chunks, header.length)
        if header.delimiter == " ":
            below = grammar_of(" ", header.quote).regularize_chunks(below)
        rows = 0
        for raw in _raw_rows(below, layout, self.reader):
            if len(raw.numbers):  # else there were only blank lines
                rows += len(raw.numbers)
                yield self._block(raw, mapping, layout)
        if not rows:
            raise DataError("the body holds a header and no rows below it")

    def _header(self, beginning: bytes) -> _Header:
        """Choose the delimiter that yields the most names of the contract's columns."""
        known = self.rules.known
        headers: list[_Header] = []
        for mark, quote in self._candidates(beginning):
            headers.append(self._read_header(beginning, mark, quote))
            if self.rules.places.keys() <= set(headers[-1].names):
                break
        best = max(headers, key=lambda header: len(known & set(header.names)))
        if len(best.names) > self.columns:
            raise TooLarge(
                f"the header has {len(best.names):,} columns, and serve.max_columns is {self.columns:,}"
            )
        return best

    def _candidates(self, beginning: bytes) -> list[tuple[str, str]]:
        """Return pairs of a delimiter and a quote to try, the dialect's first."""
        dialect = self.dialect
        quote = '"' if dialect.quote == "'" and b'"' in beginning else dialect.quote
        pairs = [(dialect.delimiter, quote)] if dialect.delimiter else []
        return pairs + [(mark, '"') for mark in _DELIMITERS if mark != dialect.delimiter]

    def _read_header(self, beginning: bytes, delimiter: str, quote: str) -> _Header:
        """Read the first row as names, or take the dialect's names if the first row is data."""
        start, length = grammar_of(delimiter, quote).first_row(beginning)
        row = beginning[start:length]
        if (
            row.count(delimiter.encode()) > _QUOTED_FACTOR * self.columns
        ):  # before there are objects
            raise TooLarge(f"the header has over {self.columns:,} columns (serve.max_columns)")
        cells = _cells(row, delimiter, quote)
        names = tuple(map(normalize_name, cells))
        while len(names) > 1 and delimiter == " " and not names[-1]:
            names = names[:-1]
        columns = self.dialect.columns
        if len(columns) == len(names) and not self.rules.places.keys() <= set(names):
            length = length if names == self.dialect.header else 0
            return _Header(columns, delimiter, quote, length)
        start, end = grammar_of(delimiter, quote).first_row(beginning, length)
        first = beginning[start:end]
        if delimiter != " " and first.count(delimiter.encode()) + 1 != len(names):
            below = beginning[length : length + _SAMPLE].decode(errors="ignore")
            names = fit_to_width(
                names, sample_rows(below, delimiter, quote, complete=True)[:_SAMPLE_ROWS]
            )
        return _Header(names, delimiter, quote, length)

    def _layout(self, mapping: ColumnMapping, header: _Header, beginning: bytes) -> Layout:
        return Layout(
            mapping.kinds,
            mapping.places,
            self.rules.width,
            delimiter=header.delimiter,
            quote=header.quote,
            decimal=self._decimal(header, beginning),
            missing=self.dialect.na_values,
        )

    def _decimal(self, header: _Header, beginning: bytes) -> str:
        """Return the decimal mark: the dialect's if its delimiter is in use, else a detected one."""
        dialect = self.dialect
        if dialect.decimal and dialect.delimiter in {"", header.delimiter}:
            return dialect.decimal
        sample = beginning[header.length :][:_SAMPLE]
        if header.delimiter == "," and not _QUOTED_COMMA.search(sample):
            return "."
        below = sample.decode(errors="ignore")
        rows = sample_rows(below, header.delimiter, header.quote, complete=False)[:_SAMPLE_ROWS]
        return detect_decimal(rows, header.delimiter) or "."

    def _block(self, raw: RawRows, mapping: ColumnMapping, layout: Layout) -> Block:
        texts = dict(zip(mapping.texts, raw.texts, strict=True))
        missing = frozenset(self.dialect.na_values)
        violations, unseen = self.rules.validate(raw.numbers, texts, missing, layout.decimal)
        if raw.ragged:
            violations = (_ragged_violation(raw, len(mapping.kinds)), *violations)
        return Block(raw.numbers, self._ids(texts), violations, unseen, mapping.extra)

    def _ids(self, texts: Mapping[str, list[str | None]]) -> list[Any] | None:
        column = self.rules.contract.id
        if column is None or column.name not in texts:
            return None
        ids = texts[column.name]
        whole = column.type is ColumnType.INTEGER
        return [_integer_id(text) for text in ids] if whole else list(ids)


def _ragged_violation(raw: RawRows, cells: int) -> Violation:
    first = np.ascontiguousarray(raw.numbers[:, 0])
    rows = tuple(int(row) + 1 for row in np.flatnonzero(is_marker(first, RAGGED))[:SHOWN_ROWS])
    return Violation("", "cells", f"does not have {cells} cells like the header", rows, raw.ragged)


def _peek_header(chunks: Chunks) -> tuple[bytes, Chunks]:
    """Read until there is a whole line; return what was read, and all chunks including it."""
    held = b""
    for chunk in chunks:
        held += chunk
        if held.strip() and (b"\n" in held.lstrip() or b"\r" in held.lstrip()):
            break
        if len(held) > LONGEST_ROW:
            raise TooLarge(f"the first line is longer than {LONGEST_ROW >> 20} MB")
    if not held.strip():
        raise DataError("the body is empty", hint="send a header and at least one row")

    return held, chain([held], chunks)


def _cells(row: bytes, delimiter: str, quote: str) -> list[str]:
    """Split one row into cells; return none if a cell exceeds 128 KB: it is not a header then."""
    if delimiter == " ":
        row = grammar_of(delimiter, quote).regularize(row)
    rows = sample_rows(row.decode(errors="ignore"), delimiter, quote, complete=True)
    return rows[0] if rows else []


def _raw_rows(chunks: Chunks, layout: Layout, reader: RowReader) -> Iterator[RawRows]:
    left = b""
    for chunk in chunks:
        left += chunk
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
                hint="look for a quote that is never closed, or for missing line ends",
            )
    while left:
        raw = reader(layout, left, final=True)
        yield raw
        if not raw.consumed:
            return
        left = left[raw.consumed :]


def _integer_id(text: str | None) -> int | str | None:
    """Return an id that is a plain integer as int, and any other unchanged."""
    if (
        text is None
        or not text.isascii()
        or not text.isdigit()
        or (text[0] == "0" and len(text) > 1)
    ):
        return text
    return int(text) if len(text) < 19 else text
