"""Read a CSV as blocks of validated rows while it arrives, by the contract's names and dialect."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from lightmodel.contract.cells import RAGGED, Codes, is_marker
from lightmodel.contract.columns import ColumnType, Dialect
from lightmodel.errors import SHOWN_ROWS, DataError, TooLarge, Violation
from lightmodel.tables.blank_rows import rows_without_features, without_rows
from lightmodel.tables.blocks import Block
from lightmodel.tables.byte_stream import Chunks, skip_bytes
from lightmodel.tables.csv_header import (
    LONGEST_ROW,
    SAMPLE,
    SAMPLE_ROWS,
    CsvHeader,
    HeaderReader,
    peek_header,
)
from lightmodel.tables.row_readers import CellKind, Layout, RawRows, RowReader, grammar_of
from lightmodel.tables.row_rules import ColumnMapping, RowRules
from lightmodel.tables.sniff import detect_decimal, sample_rows

_QUOTED_COMMA = re.compile(rb'"[+-]?[0-9]*,[0-9]')


@dataclass(frozen=True)
class CsvBlocks:
    """Reads CSV for one contract, by its dialect; what the dialect leaves open is detected."""

    rules: RowRules
    reader: RowReader
    dialect: Dialect
    columns: int  # the maximum in a header
    drops_blank: bool = False  # rows in which no cell has a value

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
        for raw, text in _raw_rows(below, layout, self.reader):
            if len(raw.numbers):  # else there were only blank lines
                rows += len(raw.numbers)
                block = self._block(raw, mapping, layout)
                if self.drops_blank and not raw.ragged:
                    blank = self._blank_rows(block, header, layout, text, raw.consumed)
                    if len(blank):
                        rebuild = partial(self._rebuilt, raw, mapping, layout)
                        block = without_rows(block, blank, rebuild)
                yield block
        if not rows:
            raise DataError("the body holds a header and no rows below it")

    def _blank_rows(
        self, block: Block, header: CsvHeader, layout: Layout, text: bytes, consumed: int
    ) -> Codes:
        """Return the rows without a value in any column that the contract knows."""
        rows = rows_without_features(block.features)
        if not len(rows):
            return rows
        missing = {*self.dialect.na_values, ""}
        if block.ids is not None:
            rows = rows[[block.ids[row] in missing for row in rows.tolist()]]
        others = self.rules.known - self.rules.places.keys() - {self._id_name}
        kinds = bytes(
            CellKind.TEXT if name in others else CellKind.IGNORED for name in header.names
        )
        if not len(rows) or not any(kinds):
            return rows
        places = tuple(accumulate((bool(kind) for kind in kinds), initial=0))[:-1]
        unread = replace(layout, kinds=kinds, places=places, width=0)
        texts = self.reader(unread, text[:consumed], final=True).texts
        return rows[[all(column[row] in missing for column in texts) for row in rows.tolist()]]

    @property
    def _id_name(self) -> str:
        return self.rules.contract.id.name if self.rules.contract.id else ""

    def _rebuilt(self, raw: RawRows, mapping: ColumnMapping, layout: Layout, rows: Codes) -> Block:
        """Return the block of some rows of those that were read."""
        texts = tuple([column[row] for row in rows.tolist()] for column in raw.texts)
        return self._block(replace(raw, numbers=raw.numbers[rows], texts=texts), mapping, layout)

    def _layout(self, mapping: ColumnMapping, header: CsvHeader, beginning: bytes) -> Layout:
        return Layout(
            mapping.kinds,
            mapping.places,
            self.rules.width,
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
        block = Block(raw.numbers, self._ids(texts), violations, unseen, mapping.extra)
        return self.rules.completed(block, texts, missing, layout.decimal)

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


def _raw_rows(chunks: Chunks, layout: Layout, reader: RowReader) -> Iterator[tuple[RawRows, bytes]]:
    """Yield rows, and the text that begins with them."""
    left = b""
    for chunk in chunks:
        left += chunk
        raw = reader(layout, left, final=False)
        while raw.consumed:
            yield raw, left
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
        yield raw, left
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
