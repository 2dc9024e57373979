"""Read requests of records in JSON as blocks of validated rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, islice
from operator import itemgetter
from typing import Any

import numpy as np

from lightmodel.contract.cells import (
    Codes,
    Matrix,
    Vector,
    json_id,
    normalize_name,
    to_str,
    with_point,
)
from lightmodel.contract.columns import Column, ColumnType
from lightmodel.errors import SHOWN_ROWS, DataError, TooLarge, Violation
from lightmodel.tables.blank_rows import rows_without_features, without_rows
from lightmodel.tables.blocks import Block
from lightmodel.tables.byte_stream import Chunks
from lightmodel.tables.json_cells import (
    NUMBER_TYPES,
    Read,
    is_number,
    known_texts,
    lost_digits,
    to_boolean,
    to_none,
    to_number,
)
from lightmodel.tables.json_forms import (
    FORMS_HINT,
    SHORT_DOCUMENT,
    JsonSizes,
    extract_records,
    long_document,
    refuse_wide_records,
)
from lightmodel.tables.json_records import (
    RecordBlocks,
    exact_lines,
    names_of,
    normalize_names,
    whole_lines,
)
from lightmodel.tables.json_scan import refuse_wide
from lightmodel.tables.json_text import (
    Load,
    Record,
    load_exactly,
    parse_json,
    parse_json_lines,
)
from lightmodel.tables.row_rules import RowRules, missing_numbers

_BLOCK_NUMBERS = 1 << 18  # in the features of a block: records may lack most of the columns
_NO_ROWS = np.empty(0, np.int64)
_SIZES = JsonSizes(block=512 << 10, columns=5_000)


@dataclass(frozen=True)
class JsonBlocks:
    """Reads JSON for one contract."""

    rules: RowRules
    missing: frozenset[str]  # texts that mean a missing value
    sizes: JsonSizes = _SIZES
    drops_blank: bool = False  # records in which no column has a value

    def read(self, body: bytes) -> Block:
        """Read a short document at once.

        Raises:
            DataError: it is not JSON, or holds no records.
            ContractViolation: a column is in none of the records.
            TooLarge: a record has too many columns.
        """
        features = self.rules.contract.feature_names
        records = extract_records(parse_json(body), features)
        refuse_wide_records(records, self.sizes.columns)
        return self.block(
            records, exact=lambda: extract_records(parse_json(body, load_exactly), features)
        )

    def read_blocks(self, body: bytes | bytearray) -> Iterator[Block]:
        """Return the rows of a document, a long one in blocks; see `read`."""
        return (
            self._read_long(body) if len(body) > SHORT_DOCUMENT else iter([self.read(bytes(body))])
        )

    def _read_long(self, body: bytes | bytearray) -> Iterator[Block]:
        """Yield blocks; a column that is in none of them shows at the end."""
        blocks = RecordBlocks(partial(self._records, body))
        known, names = frozenset(self.rules.places), dict[str, None]()
        for records in blocks:
            here = names_of(records)
            names |= dict.fromkeys(here)
            self._refuse_names(names)
            yield self.block(records, known, blocks.exactly, here)
        self.rules.map_columns(tuple(map(normalize_name, names)))

    def _records(self, body: bytes | bytearray, load: Load) -> Iterator[Sequence[Record]]:
        rows = max(1, _BLOCK_NUMBERS // max(1, len(self.rules.places)))
        for records in long_document(body, self.rules.contract.feature_names, self.sizes, load):
            for start in range(0, len(records), rows):
                yield records[start : start + rows]

    def _refuse_names(self, names: Mapping[str, None]) -> None:
        if len(names) > self.sizes.columns:
            raise TooLarge(
                f"the records have more than {self.sizes.columns:,} columns (serve.max_columns)"
            )

    def read_lines(self, chunks: Chunks, lines: int = 0, *, begins: bool = True) -> Iterator[Block]:
        """Yield blocks of the rows of JSON Lines; there is at least one record in all.

        Args:
            chunks: of the text, or of a part of it.
            lines: number of lines before this part.
            begins: whether it is the beginning, whose first records must have all columns.

        Raises:
            DataError: a line is not a JSON object.
            ContractViolation: a column is in none of the records of the first block.
            TooLarge: a line has more than 8 MB, or too many columns.
        """
        known, names = frozenset[str](() if begins else self.rules.places), dict[str, None]()
        rows = max(1, _BLOCK_NUMBERS // max(1, len(self.rules.places)))
        for text in whole_lines(chunks):
            self._refuse_long_lines(text)
            parsed, before = parse_json_lines(text, lines), 0
            while records := list(islice(parsed, rows)):
                here = names_of(records)
                names |= dict.fromkeys(here)
                self._refuse_names(names)
                exact = partial(exact_lines, text, before, len(records))
                block = self.block(records, known, exact, here)
                known = known or frozenset(self.rules.places)
                before += len(records)
                yield block
            lines += text.count(b"\n")
        if not known:
            raise DataError("the body holds no records", hint=FORMS_HINT)

    def _refuse_long_lines(self, text: bytes) -> None:
        if len(text) > 2 * self.sizes.block:
            for line in text.split(b"\n"):
                if len(line) > self.sizes.block:
                    refuse_wide(line, 0, len(line), self.sizes.columns)

    def block(
        self,
        records: Sequence[Record],
        known: frozenset[str] = frozenset(),
        exact: Callable[[], Iterable[Record]] | None = None,
        names: tuple[str, ...] = (),
    ) -> Block:
        """Validate records.

        Args:
            records: at least one.
            known: columns that count as present, besides those in the records.
            exact: returns the records with integers of any length; called when `records` has lost
                some of their digits.
            names: of the columns, if they are known.
        """
        written = names or names_of(records)
        names, records = normalize_names(written, records)
        if exact and names != written:
            exact = partial(_renamed, written, exact)
        return self._rows(records, known, exact, names)

    def _rows(
        self,
        records: Sequence[Record],
        known: frozenset[str],
        exact: Callable[[], Iterable[Record]] | None,
        names: tuple[str, ...],
    ) -> Block:
        """Return the block of records without the blank ones; see `block`."""
        block = self._block(records, known, exact, names)

        def some(rows: Codes, build: Callable[..., Block]) -> Block:
            chosen = rows.tolist()
            again = exact and (lambda: map(list(exact()).__getitem__, chosen))
            return build([records[row] for row in chosen], known, again, names)

        blank = rows_without_features(block.features) if self.drops_blank else _NO_ROWS
        if len(blank):
            blank = blank[[self._is_blank(records[row]) for row in blank.tolist()]]
            block = without_rows(block, blank, partial(some, build=self._block))
        return replace(block, part=partial(some, build=self._rows)) if block.violations else block

    def _is_blank(self, record: Record) -> bool:
        """Return whether a record has no value in any column that the contract knows."""
        texts = (to_str(record[name]) for name in self.rules.known & record.keys())
        return all(not text or text in self.missing for text in texts)

    def _block(
        self,
        records: Sequence[Record],
        known: frozenset[str],
        exact: Callable[[], Iterable[Record]] | None,
        names: tuple[str, ...],
    ) -> Block:
        mapping = self.rules.map_columns((*names, *(known - set(names))) if known else names)
        features = self._features(records)
        id_column = self.rules.contract.id
        id_name = id_column.name if id_column and id_column.name in names else None
        columns = self._columns(records, id_name)
        if exact and any(map(lost_digits, columns.values())):
            columns = self._columns(list(exact()), id_name)
        ids = None if id_name is None else list(map(json_id, columns[id_name]))
        texts = {
            column.name: list(map(to_str, columns[column.name]))
            for column in self.rules.others or self.rules.texts
        }
        violations, unseen = self.rules.validate(features, texts, self.missing)
        violations = (*_nested(columns), *violations)
        block = Block(features, ids, violations, unseen, mapping.extra)
        return self.rules.completed(block, texts, self.missing)

    def _columns(self, records: Sequence[Record], id_name: str | None) -> dict[str, list[Any]]:
        """Return the cells of the texts and of the id, by column, and of others that the model needs."""
        names = [column.name for column in self.rules.others or self.rules.texts]
        names += [id_name] if id_name is not None else []
        return {name: [record.get(name) for record in records] for name in names}

    def _features(self, records: Sequence[Record]) -> Matrix:
        numeric = self.rules.numeric
        features = np.empty((len(records), self.rules.width))
        rows = self._numeric_cells(records)
        if self._are_plain_numbers and set(map(type, chain.from_iterable(rows))) <= NUMBER_TYPES:
            with suppress(OverflowError):
                features[:, self._numeric_places] = np.array(rows, np.float64).reshape(
                    len(rows), len(numeric)
                )
                return features
        for at, column in enumerate(numeric):
            numbers = self._numbers([row[at] for row in rows], column)
            features[:, self.rules.places[column.name]] = numbers
        return features

    def _numbers(self, cells: Sequence[Any], column: Column) -> Vector | Sequence[float]:
        read: Read = to_boolean if column.type is ColumnType.BOOLEAN else to_number
        if not column.type.is_numeric and (gone := missing_numbers(self.missing)):
            cells = [None if is_number(cell) and cell in gone else cell for cell in cells]
        if column.format:
            other = to_number if column.type.takes_numbers else to_none
            read = known_texts(cells, self.rules.parsers(self.missing, ".")[column.name], other)
        elif read is to_number and set(map(type, cells)) <= NUMBER_TYPES:
            with suppress(OverflowError):
                return np.array(cells, np.float64)
        elif self.rules.contract.decimal == ",":
            cells = [with_point(cell) if isinstance(cell, str) else cell for cell in cells]
        return [read(cell, self.missing) for cell in cells]

    def _numeric_cells(self, records: Sequence[Record]) -> Sequence[Sequence[Any]]:
        """Return the cells of the columns of numbers and booleans; None where there is none."""
        if len(self.rules.numeric) > 1:
            with suppress(KeyError):
                return list(map(self._get_numeric, records))
        names = [column.name for column in self.rules.numeric]
        return [[record.get(name) for name in names] for record in records]

    @cached_property
    def _get_numeric(self) -> Callable[[Record], tuple[Any, ...]]:
        return itemgetter(*(column.name for column in self.rules.numeric))

    @cached_property
    def _numeric_places(self) -> slice | list[int]:
        """The places of these columns among the features."""
        if not self.rules.texts:
            return slice(None)
        return [self.rules.places[column.name] for column in self.rules.numeric]

    @cached_property
    def _are_plain_numbers(self) -> bool:
        return all(column.type.is_numeric for column in self.rules.numeric)


def _renamed(names: tuple[str, ...], exact: Callable[[], Iterable[Record]]) -> Sequence[Record]:
    return normalize_names(names, list(exact()))[1]


def _nested(columns: Mapping[str, Sequence[object]]) -> Iterator[Violation]:
    """Yield a violation for each column with objects or lists in place of texts."""
    for name, values in columns.items():
        if set(map(type, values)) & {dict, list}:
            rows = [at for at, one in enumerate(values, start=1) if isinstance(one, dict | list)]
            detail = "is an object or a list, not a text"
            yield Violation(name, "type", detail, tuple(rows[:SHOWN_ROWS]), len(rows))
