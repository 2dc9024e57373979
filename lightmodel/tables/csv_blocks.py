"""Read a CSV as blocks of validated rows while it arrives, by the contract's names and dialect."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from lightmodel.contract.cells import RAGGED, Codes, Mask, is_marker
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
from lightmodel.tables.row_readers import (
    CellKind,
    Layout,
    RawRows,
    RowReader,
    grammar_of,
    layout_grammar,
)
from lightmodel.tables.row_rules import ColumnMapping, RowRules
from lightmodel.tables.sniff import detect_decimal, sample_rows

_QUOTED_COMMA = re.compile(rb'"[+-]?[0-9]*,[0-9]')


@dataclass(frozen=True)
class RowsPlan:
    """How the rows below a header are read: all of a text, or some of them in another process."""

    header: CsvHeader
    mapping: ColumnMapping
    layout: Layout


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
        plan, below = self.plan(chunks)
        is_empty = True
        for block in self.read_rows(plan, below):
            is_empty = False
            yield block
        if is_empty:
            raise DataError("the body holds a header and no rows below it")

    def plan(self, chunks: Chunks) -> tuple[RowsPlan, Chunks]:
        """Read the header; return how to read the rows below it, and their text; see `read`."""
        beginning, chunks = peek_header(chunks)
        header = HeaderReader(self.rules, self.dialect, self.columns).read(beginning)
        mapping = self.rules.map_columns(header.names)
        below = skip_bytes(chunks, header.length)
        if header.delimiter == " ":
            below = grammar_of(" ", header.quote).regularize_chunks(below)
        return RowsPlan(header, mapping, self._layout(mapping, header, beginning)), below

    def end_of_rows(self, plan: RowsPlan, text: bytes) -> int:
        """Return the end of the last complete row, given that more text may follow."""
        cells = len(plan.layout.kinds)
        if plan.layout.quote.encode() not in text:
            return layout_grammar(plan.layout).end_of_rows(text)
        unread = replace(plan.layout, kinds=bytes(cells), places=(0,) * cells, width=0)
        end, consumed = 0, -1
        while consumed:  # the reader is faster than the grammar
            consumed = self.reader(unread, text[end:] if end else text, final=False).consumed
            end += consumed
        return end

    def read_rows(self, plan: RowsPlan, chunks: Chunks) -> Iterator[Block]:
        """Yield blocks of rows of a text below its header, or of some whole rows of it."""
        for raw, text in _raw_rows(chunks, plan.layout, self.reader):
            if len(raw.numbers):  # else there were only blank lines
                yield self._rows(
                    plan, raw, text if raw.consumed == len(text) else text[: raw.consumed]
                )

    def _rows(
        self, plan: RowsPlan, raw: RawRows, text: bytes, chosen: Codes | None = None
    ) -> Block:
        """Return the block of the rows at some positions, or of all, without the blank ones among them."""
        rows = raw if chosen is None else _selected(raw, chosen)
        block = self._block(rows, plan)
        if self.drops_blank and not rows.ragged:
            blank = self._blank_rows(block, plan, text, chosen)
            block = without_rows(
                block, blank, lambda kept: self._block(_selected(rows, kept), plan)
            )
        if block.violations and chosen is None:
            block = replace(block, part=partial(self._rows, plan, raw, text))
        return block

    def _blank_rows(self, block: Block, plan: RowsPlan, text: bytes, chosen: Codes | None) -> Codes:
        """Return the rows without a value in any column that the contract knows."""
        rows = rows_without_features(block.features)
        if not len(rows):
            return rows
        missing = {*self.dialect.na_values, ""}
        if block.ids is not None:
            rows = rows[[block.ids[row] in missing for row in rows.tolist()]]
        others = self.rules.known - self.rules.places.keys() - {self._id_name}
        kinds = bytes(
            CellKind.TEXT if name in others else CellKind.IGNORED for name in plan.header.names
        )
        if not len(rows) or not any(kinds):
            return rows
        places = tuple(accumulate((bool(kind) for kind in kinds), initial=0))[:-1]
        unread = replace(plan.layout, kinds=kinds, places=places, width=0)
        texts = self.reader(unread, text, final=True).texts
        lines = rows if chosen is None else chosen[rows]
        return rows[[all(column[at] in missing for column in texts) for at in lines.tolist()]]

    @property
    def _id_name(self) -> str:
        return self.rules.contract.id.name if self.rules.contract.id else ""

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

    def _block(self, raw: RawRows, plan: RowsPlan) -> Block:
        mapping, layout = plan.mapping, plan.layout
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


def _selected(raw: RawRows, rows: Codes) -> RawRows:
    """Return the rows at some positions of those that were read."""
    texts = tuple([column[row] for row in rows.tolist()] for column in raw.texts)
    ragged = _ragged(raw)[rows] if raw.ragged else ()
    return replace(raw, numbers=raw.numbers[rows], texts=texts, ragged=int(np.sum(ragged)))


def _ragged(raw: RawRows) -> Mask:
    return is_marker(np.ascontiguousarray(raw.numbers[:, 0]), RAGGED)


def _ragged_violation(raw: RawRows, cells: int) -> Violation:
    rows = tuple(int(row) + 1 for row in np.flatnonzero(_ragged(raw))[:SHOWN_ROWS])
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
