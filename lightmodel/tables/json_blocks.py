"""Parse the records in JSON, and read requests of them as blocks of validated rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import chain, islice
from operator import itemgetter
from typing import Any

import numpy as np

from lightmodel.contract.cells import (
    INT64_END,
    INVALID,
    MISSING,
    Matrix,
    json_id,
    normalize_name,
    number_as_boolean,
    parse_boolean,
    parse_number,
    to_str,
)
from lightmodel.contract.columns import ColumnType
from lightmodel.contract.formats import TextParser
from lightmodel.errors import SHOWN_ROWS, DataError, TooLarge, Violation
from lightmodel.tables.byte_stream import Chunks
from lightmodel.tables.json_forms import (
    FORMS_HINT,
    SHORT_DOCUMENT,
    JsonSizes,
    extract_records,
    long_document,
    refuse_wide_records,
)
from lightmodel.tables.json_scan import refuse_wide
from lightmodel.tables.json_text import (
    Load,
    Record,
    load_exactly,
    load_json,
    parse_json,
    parse_json_lines,
)
from lightmodel.tables.row_rules import Block, RowRules

Read = Callable[[object, frozenset[str]], float]  # of a cell, and texts that mean a missing value

LONGEST_LINE = 8 << 20
_NUMBER_TYPES = {int, float}
_BLOCK_NUMBERS = 1 << 18  # in the features of a block: records may lack most of the columns
_SIZES = JsonSizes(block=512 << 10, columns=5_000)


@dataclass(frozen=True)
class JsonBlocks:
    """Reads JSON for one contract."""

    rules: RowRules
    missing: frozenset[str]  # texts that mean a missing value
    sizes: JsonSizes = _SIZES

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
        blocks = _RecordBlocks(partial(self._records, body))
        known, names = frozenset(self.rules.places), dict[str, None]()
        for records in blocks:
            here = _names(records)
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

    def read_lines(self, chunks: Chunks) -> Iterator[Block]:
        """Yield blocks of the rows of JSON Lines; there is at least one record in all.

        Raises:
            DataError: a line is not a JSON object.
            ContractViolation: a column is in none of the records of the first block.
            TooLarge: a line has more than 8 MB, or too many columns.
        """
        lines, known, names = 0, frozenset[str](), dict[str, None]()
        rows = max(1, _BLOCK_NUMBERS // max(1, len(self.rules.places)))
        for text in _whole_lines(chunks):
            self._refuse_long_lines(text)
            parsed, before = parse_json_lines(text, lines), 0
            while records := list(islice(parsed, rows)):
                here = _names(records)
                names |= dict.fromkeys(here)
                self._refuse_names(names)
                exact = partial(_exact_lines, text, before, len(records))
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
        names, records = _normalize_names(names or _names(records), records)
        mapping = self.rules.map_columns((*names, *(known - set(names))) if known else names)
        features = self._features(records)
        id_column = self.rules.contract.id
        id_name = id_column.name if id_column and id_column.name in names else None
        columns = self._columns(records, id_name)
        if exact and any(map(_lost_digits, columns.values())):
            _, records = _normalize_names(names, list(exact()))
            columns = self._columns(records, id_name)
        ids = None if id_name is None else list(map(json_id, columns[id_name]))
        texts = {
            column.name: list(map(to_str, columns[column.name])) for column in self.rules.texts
        }
        violations, unseen = self.rules.validate(features, texts, self.missing)
        violations = (*_nested(columns), *violations)
        return Block(features, ids, violations, unseen, mapping.extra)

    def _columns(self, records: Sequence[Record], id_name: str | None) -> dict[str, list[Any]]:
        """Return the cells of the category columns and of the id, by column."""
        names = [column.name for column in self.rules.texts]
        names += [id_name] if id_name is not None else []
        return {name: [record.get(name) for record in records] for name in names}

    def _features(self, records: Sequence[Record]) -> Matrix:
        numeric = self.rules.numeric
        features = np.empty((len(records), self.rules.width))
        rows = self._numeric_cells(records)
        if self._are_plain_numbers and set(map(type, chain.from_iterable(rows))) <= _NUMBER_TYPES:
            features[:, self._numeric_places] = np.array(rows, np.float64).reshape(
                len(rows), len(numeric)
            )
            return features
        parsers = self.rules.parsers(self.missing, ".")
        for at, column in enumerate(numeric):
            read: Read = _to_boolean if column.type is ColumnType.BOOLEAN else _to_number
            if column.name in parsers:
                read = _known_texts([row[at] for row in rows], parsers[column.name])
            features[:, self.rules.places[column.name]] = [
                read(row[at], self.missing) for row in rows
            ]
        return features

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
        return all(column.type is not ColumnType.BOOLEAN for column in self.rules.numeric)


class _RecordBlocks:
    """The records of a document in blocks, which are decoded again where integers lost digits.

    Args:
        decode: returns all blocks, decoded by a function.
    """

    def __init__(self, decode: Callable[[Load], Iterator[Sequence[Record]]]) -> None:
        self._decode = decode
        self._blocks = decode(load_json)
        self._current: Sequence[Record] = ()
        self._count = 0
        self._is_exact = False

    def __iter__(self) -> Iterator[Sequence[Record]]:
        while (block := next(self._blocks, None)) is not None:
            self._current = block
            self._count += 1
            yield block

    def exactly(self) -> Sequence[Record]:
        """Return the current block with integers of any length; the later ones will have them too."""
        if not self._is_exact:
            self._is_exact = True
            self._blocks = islice(self._decode(load_exactly), self._count - 1, None)
            self._current = next(self._blocks)
        return self._current


def _exact_lines(text: bytes, start: int, count: int) -> Iterator[Record]:
    return islice(parse_json_lines(text, load=load_exactly), start, start + count)


def _nested(columns: Mapping[str, Sequence[object]]) -> Iterator[Violation]:
    """Yield a violation for each column with objects or lists in place of texts."""
    for name, values in columns.items():
        if set(map(type, values)) & {dict, list}:
            rows = [at for at, one in enumerate(values, start=1) if isinstance(one, dict | list)]
            detail = "is an object or a list, not a text"
            yield Violation(name, "type", detail, tuple(rows[:SHOWN_ROWS]), len(rows))


def _lost_digits(values: Sequence[object]) -> bool:
    """Return whether an integer may have been read as a float because it is too long."""
    if float not in set(map(type, values)):
        return False
    return any(isinstance(value, float) and abs(value) >= INT64_END for value in values)


def _normalize_names(
    names: tuple[str, ...], records: Sequence[Record]
) -> tuple[tuple[str, ...], Sequence[Record]]:
    """Return names and records with names written as in the contract."""
    clean = _normalized(names)
    if clean == names:
        return names, records
    known: Mapping[str, str] = dict(zip(names, clean, strict=True))
    return clean, [{known[name]: value for name, value in one.items()} for one in records]


@lru_cache(16)
def _normalized(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(normalize_name, names))


def _names(records: Sequence[Record]) -> tuple[str, ...]:
    first = records[0].keys()
    if len(records) == 1 or all(record.keys() == first for record in records):
        return tuple(first)
    return tuple(dict.fromkeys(chain.from_iterable(records)))


def _to_number(value: object, missing: frozenset[str]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if value is None:
        return float(MISSING)
    return parse_number(value, missing) if isinstance(value, str) else float(INVALID)


def _known_texts(cells: Sequence[object], parse: TextParser) -> Read:
    """Return a function from each of the cells to its number; texts among them are parsed at once."""
    texts = {cell: cell.strip() for cell in cells if isinstance(cell, str)}
    known = dict(zip(texts, parse(list(texts.values())).tolist(), strict=True))

    def read(value: object, missing: frozenset[str]) -> float:
        return known[value] if isinstance(value, str) else _to_number(value, missing)

    return read


def _to_boolean(value: object, missing: frozenset[str]) -> float:
    if value is None:
        return float(MISSING)
    if isinstance(value, int | float):
        return number_as_boolean(float(value))
    return parse_boolean(value, missing) if isinstance(value, str) else float(INVALID)


def _whole_lines(chunks: Chunks) -> Chunks:
    left = b""
    for chunk in chunks:
        text = left + chunk
        cut = text.rfind(b"\n") + 1
        left = text[cut:]
        if cut:
            yield text[:cut]
        if len(left) > LONGEST_LINE:
            raise TooLarge(f"a line is longer than {LONGEST_LINE >> 20} MB")
    if left:
        yield left
