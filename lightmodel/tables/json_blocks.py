"""JSON records: a file or a body read whole, or JSON Lines as they arrive."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from lightmodel.config import DataSection
from lightmodel.contract.cells import (
    NOT_A_NUMBER,
    NOT_THERE,
    Matrix,
    boolean_in,
    name_of,
    number_in,
    text_of,
    truth_of,
    whole_id,
)
from lightmodel.contract.columns import ColumnType, Dialect
from lightmodel.errors import DataError, TooLarge
from lightmodel.tables.base import TableRead
from lightmodel.tables.byte_stream import Pieces
from lightmodel.tables.column_types import plain_types, without_missing
from lightmodel.tables.detection import Text, form_of, open_text, reported
from lightmodel.tables.records import LAYOUT, Record, column_of, lines_in, loaded, records_in
from lightmodel.tables.row_rules import Block, RowRules

LONGEST_LINE = 8 << 20
_NUMBERS = {int, float}
_INT64_END = 2.0**63
_BLOCK = 1 << 20


@dataclass(frozen=True)
class JsonBlocks:
    """Reads JSON for one contract.

    Attributes:
        rules: of the contract.
        missing: texts that mean no value.
    """

    rules: RowRules
    missing: frozenset[str]

    def read(self, body: bytes) -> Block:
        """Read a whole body.

        Raises:
            DataError: it is not JSON, or holds no records.
            ContractViolation: no record has one of the columns.
        """
        records = records_in(loaded(body))
        return self.block(records, exact=lambda: records_in(loaded(body, json.loads)))

    def read_lines(self, pieces: Pieces) -> Iterator[Block]:
        """Read JSON Lines as they arrive, some megabytes each; at least one record in all.

        Raises:
            DataError: a line is no JSON object.
            ContractViolation: no record of the first block has one of the columns.
            TooLarge: a line has more than 8 MB.
        """
        lines, known = 0, frozenset[str]()
        for text in _whole_lines(pieces):
            records = list(lines_in(text, lines))
            lines += text.count(b"\n")
            if records:
                block = self.block(records, known, partial(_exact_records, text))
                known = known or frozenset(self.rules.places)
                yield block
        if not known:
            raise DataError("the body holds no records", hint=LAYOUT)

    def block(
        self,
        records: Sequence[Record],
        known: frozenset[str] = frozenset(),
        exact: Callable[[], Sequence[Record]] | None = None,
    ) -> Block:
        """Check records.

        Args:
            records: at least one.
            known: columns that count as there, besides those that some record names.
            exact: gives the records with whole numbers of any length, where `records` may have lost
                some of their digits.
        """
        names, records = _with_clean_names(_names(records), records)
        plan = self.rules.plan((*names, *(known - set(names))) if known else names)
        features = self._features(records)
        own_id = self.rules.contract.id
        id_name = own_id.name if own_id and own_id.name in names else None
        columns = self._columns(records, id_name)
        if exact and any(map(_lost_digits, columns.values())):
            _, records = _with_clean_names(names, exact())
            columns = self._columns(records, id_name)
        ids = None if id_name is None else list(map(whole_id, columns[id_name]))
        texts = {
            column.name: list(map(text_of, columns[column.name]))
            for column in self.rules.categorical
        }
        violations, unseen = self.rules.hold(features, texts, self.missing)
        return Block(features, ids, violations, unseen, plan.extra)

    def _columns(self, records: Sequence[Record], id_name: str | None) -> dict[str, list[Any]]:
        """Return the cells that are no numbers, by column."""
        names = [column.name for column in self.rules.categorical]
        names += [id_name] if id_name is not None else []
        return {name: [record.get(name) for record in records] for name in names}

    def _features(self, records: Sequence[Record]) -> Matrix:
        numeric = self.rules.numeric
        features = np.empty((len(records), len(self.rules.places)))
        rows = [[record.get(column.name) for column in numeric] for record in records]
        if set(map(type, chain.from_iterable(rows))) <= self._plain:
            numbers = np.array(rows, np.float64).reshape(len(rows), len(numeric))
            features[:, [self.rules.places[column.name] for column in numeric]] = numbers
            return features
        for at, column in enumerate(numeric):
            read = _boolean if column.type is ColumnType.BOOLEAN else _number
            features[:, self.rules.places[column.name]] = [
                read(row[at], self.missing) for row in rows
            ]
        return features

    @property
    def _plain(self) -> set[type]:
        """The types that are numbers as they are, whatever the column."""
        types = {column.type for column in self.rules.numeric}
        return set() if ColumnType.BOOLEAN in types else _NUMBERS


def _lost_digits(values: Sequence[object]) -> bool:
    """Return whether a whole number was read as a float because it is too long."""
    if float not in set(map(type, values)):
        return False
    return any(isinstance(value, float) and abs(value) >= _INT64_END for value in values)


def _with_clean_names(
    names: tuple[str, ...], records: Sequence[Record]
) -> tuple[tuple[str, ...], Sequence[Record]]:
    """Write names as the contract has them."""
    clean = _clean(names)
    if clean == names:
        return names, records
    known: Mapping[str, str] = dict(zip(names, clean, strict=True))
    return clean, [{known[name]: value for name, value in one.items()} for one in records]


@lru_cache(16)
def _clean(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(name_of, names))


def _names(records: Sequence[Record]) -> tuple[str, ...]:
    first = records[0].keys()
    if all(record.keys() == first for record in records):
        return tuple(first)
    return tuple(dict.fromkeys(chain.from_iterable(records)))


def _number(value: object, missing: frozenset[str]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if value is None:
        return float(NOT_THERE)
    return number_in(value, missing) if isinstance(value, str) else float(NOT_A_NUMBER)


def _boolean(value: object, missing: frozenset[str]) -> float:
    if value is None:
        return float(NOT_THERE)
    if isinstance(value, int | float):
        return truth_of(float(value))
    return boolean_in(value, missing) if isinstance(value, str) else float(NOT_A_NUMBER)


def _whole_lines(pieces: Pieces) -> Pieces:
    left = b""
    for piece in pieces:
        text = left + piece
        cut = text.rfind(b"\n") + 1
        left = text[cut:]
        if cut:
            yield text[:cut]
        if len(left) > LONGEST_LINE:
            raise TooLarge(f"a line is longer than {LONGEST_LINE >> 20} MB")
    if left:
        yield left


def _exact_records(text: bytes) -> list[Record]:
    """Read lines once more, with whole numbers of any length exact."""
    return list(lines_in(text, 0, json.loads))


def read(path: Path, options: DataSection) -> TableRead:
    """Read records; see `TableFormat` for what holds of the table.

    A column is there when some record names it; where one does not, it is null.

    Raises:
        DataError: a line is no JSON object (named by its number), or values are nested.
    """
    missing = ("", *options.missing)
    with reported(path.name, "JSON Lines"):
        text = open_text(path, "utf-8")
        table = _by_arrow(text)
        if table is None:
            table = _by_python(text, frozenset(missing))
        table = plain_types(table, text.name)
    table = table.rename_columns([name_of(name) for name in table.column_names])
    return TableRead(without_missing(table, missing), Dialect(na_values=missing))


def _by_arrow(text: Text) -> pa.Table | None:
    """Read regular records fast; None when they are not regular."""
    if not text.sample.lstrip().startswith("{"):
        return None
    longest = max(len(line) for line in text.sample.splitlines())
    options = arrow_json.ReadOptions(block_size=max(_BLOCK, 8 * longest))
    try:
        with text.open() as stream:
            table = arrow_json.read_json(stream, read_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    # a whole number that is too long becomes a float, and loses its digits
    numbers = [column for column in table.columns if pa.types.is_floating(column.type)]
    largest = max((pc.max(pc.abs(column)).as_py() or 0.0 for column in numbers), default=0.0)
    return table if table.num_columns and largest < _INT64_END else None


def _by_python(text: Text, missing: frozenset[str]) -> pa.Table:
    """Read records whose values change their type, an array of records, or say what is wrong."""
    records = _records(text)
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise DataError(f"{text.name} holds no records")
    columns = {name: [record.get(name) for record in records] for name in names}
    _refuse_nested(columns, text.name)
    return pa.table([column_of(values, missing) for values in columns.values()], names=names)


def _records(text: Text) -> Sequence[Record]:
    """Read all records as a request's are read, but slower, with whole numbers of any length."""
    content = b"".join(text.utf8())
    if form_of(content) == "json":
        return records_in(loaded(content, json.loads))
    return list(lines_in(content, load=json.loads))


def _refuse_nested(columns: dict[str, list[object]], name: str) -> None:
    nested = [
        repr(column)
        for column, values in columns.items()
        if any(isinstance(value, dict | list) for value in values)
    ]
    if nested:
        more = ", …" if len(nested) > 10 else ""
        raise DataError(
            f"{name}: {len(nested)} column{'s hold' if len(nested) > 1 else ' holds'} lists or "
            f"objects: {', '.join(nested[:10])}{more}",
            hint="give each value a column of its own",
        )
