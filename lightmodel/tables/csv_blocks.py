"""Read a CSV as blocks of validated rows while it arrives, by the contract's names and dialect."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightmodel.contract.cells import RAGGED, is_marker
from lightmodel.contract.columns import ColumnType, Dialect
from lightmodel.errors import SHOWN_ROWS, DataError, TooLarge, Violation
from lightmodel.tables.byte_stream import Chunks, skip_bytes
from lightmodel.tables.csv_header import (
    LONGEST_ROW,
    SAMPLE,
    SAMPLE_ROWS,
    CsvHeader,
    HeaderReader,
    peek_header,
)
from lightmodel.tables.row_readers import Layout, RawRows, RowReader, grammar_of
from lightmodel.tables.row_rules import Block, ColumnMapping, RowRules
from lightmodel.tables.sniff import detect_decimal, sample_rows

_QUOTED_COMMA = re.compile(rb'"[+-]?[0-9]*,[0-9]')


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
        beginning, chunks = peek_header(chunks)
        header = HeaderReader(self.rules, self.dialect, self.columns).read(beginning)
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

    def _layout(self, mapping: ColumnMapping, header: CsvHeader, beginning: bytes) -> Layout:
        return Layout(
            mapping.kinds,
            mapping.places,
            len(self.rules.places),
            delimiter=header.delimiter,
            quote=header.quote,
            decimal=self._decimal(header, beginning),
            missing=self.dialect.na_values,
        )

    def _decimal(self, header: CsvHeader, beginning: bytes) -> str:
        """Return the decimal mark: the dialect's if its delimiter is in use, else a detected one."""
        dialect = self.dialect
        if dialect.decimal and dialect.delimiter in {"", header.delimiter}:
            return dialect.decimal
        sample = beginning[header.length :][:SAMPLE]
        if header.delimiter == "," and not _QUOTED_COMMA.search(sample):
            return "."
        below = sample.decode(errors="ignore")
        rows = sample_rows(below, header.delimiter, header.quote, complete=False)[:SAMPLE_ROWS]
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
