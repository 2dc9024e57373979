"""JSON records as blocks of checked rows: a body whole, or JSON Lines as they arrive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from lightmodel.contract.arrays import Matrix
from lightmodel.contract.columns import ColumnType
from lightmodel.errors import ContractViolation, DataError, TooLarge, Violation
from lightmodel.tables.byte_stream import Pieces
from lightmodel.tables.cells import NOT_A_NUMBER, NOT_THERE, boolean_in, number_in
from lightmodel.tables.row_rules import Block, RowRules

Record = Mapping[str, Any]

LONGEST_LINE = 8 << 20
LAYOUT = (
    "send an object, an array of objects, or MLflow's dataframe_split, dataframe_records or inputs"
)
_NUMBERS = {int, float}


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
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise DataError(
                f"the body is not JSON (line {error.lineno}, column {error.colno})"
            ) from None
        return self.block(records_in(content))

    def read_lines(self, pieces: Pieces) -> Iterator[Block]:
        """Read JSON Lines as they arrive, some megabytes each; at least one record in all.

        Raises:
            DataError: a line is no JSON object.
            ContractViolation: no record of the first block has one of the columns.
            TooLarge: a line has more than 8 MB.
        """
        lines, known = 0, frozenset[str]()
        for text in _whole_lines(pieces):
            records = list(_records(text, lines))
            lines += text.count(b"\n")
            if records:
                block = self.block(records, known)
                known = known or frozenset(self.rules.places)
                yield block
        if not known:
            raise DataError("the body holds no records", hint=LAYOUT)

    def block(self, records: Sequence[Record], known: frozenset[str] = frozenset()) -> Block:
        """Check records; a column counts as there when some record, or `known`, names it."""
        names = _names(records)
        plan = self.rules.plan((*names, *(known - set(names))) if known else names)
        features = self._features(records)
        texts = {name: [_text(record.get(name)) for record in records] for name in self.rules.codes}
        violations, unseen = self.rules.hold(features, texts, self.missing)
        own_id = self.rules.contract.id
        ids = (
            [record.get(own_id.name) for record in records]
            if own_id and own_id.name in names
            else None
        )
        return Block(features, ids, violations, unseen, plan.extra)

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


def records_in(content: object) -> list[Record]:
    """Find the records in a JSON value: an object, an array of them, or one of MLflow's forms.

    Raises:
        DataError: there are none.
        ContractViolation: dataframe_split names a column twice.
    """
    if isinstance(content, dict):
        for form, read in _FORMS.items():
            if isinstance(content.get(form), dict | list):
                content = read(content[form])
                break
    records: list[Any] = content if isinstance(content, list) else [content]
    wrong = [at for at, record in enumerate(records, start=1) if not isinstance(record, dict)]
    if wrong or not records:
        what = f"record {wrong[0]} is not a JSON object" if wrong else "the body holds no records"
        raise DataError(what, hint=LAYOUT)
    return records


def _split(content: object) -> list[Record]:
    columns = content.get("columns") if isinstance(content, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(columns, list) or not isinstance(data, list):
        raise DataError("dataframe_split has not the lists `columns` and `data`", hint=LAYOUT)
    names = [str(column) for column in columns]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        violations = [
            Violation(name, "duplicate_column", "stands in dataframe_split more than once")
            for name in repeated
        ]
        raise ContractViolation(violations, what="the request")
    for number, row in enumerate(data, start=1):
        if not isinstance(row, list) or len(row) != len(names):
            raise DataError(
                f"dataframe_split: row {number} has not {len(names)} values", hint=LAYOUT
            )
    return [dict(zip(names, row, strict=True)) for row in data]


def _inputs(content: object) -> object:
    """Give records from columns: a name → a list of values, all of one length."""
    if not isinstance(content, dict) or not content:
        return content
    columns = [value if isinstance(value, list) else [value] for value in content.values()]
    if len({len(column) for column in columns}) > 1:
        raise DataError("inputs: its lists differ in length", hint=LAYOUT)
    return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)]


def _as_it_is(content: object) -> object:
    return content


_FORMS = {
    "dataframe_split": _split,
    "dataframe_records": _as_it_is,
    "instances": _as_it_is,
    "inputs": _inputs,
}


def _names(records: Sequence[Record]) -> tuple[str, ...]:
    first = records[0].keys()
    if all(record.keys() == first for record in records):
        return tuple(first)
    return tuple(dict.fromkeys(chain.from_iterable(records)))


def _number(value: object, missing: frozenset[str]) -> float:
    if type(value) in _NUMBERS:
        return float(value)  # type: ignore[arg-type]
    if value is None:
        return float(NOT_THERE)
    return number_in(value, missing) if isinstance(value, str) else float(NOT_A_NUMBER)


def _boolean(value: object, missing: frozenset[str]) -> float:
    if value is None:
        return float(NOT_THERE)
    if isinstance(value, bool) or value in (0, 1):
        return float(bool(value))
    return boolean_in(value, missing) if isinstance(value, str) else float(NOT_A_NUMBER)


def _text(value: object) -> str:
    """Write a value as it would stand in a CSV; whole numbers without a decimal point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2.0**53:
        return str(int(value))
    return str(value).strip()


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


def _records(text: bytes, before: int) -> Iterator[Record]:
    for number, line in enumerate(text.split(b"\n"), start=before + 1):
        if line.strip():
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                record = None
            if not isinstance(record, dict):
                raise DataError(f"line {number} is not a JSON object", hint="write one a line")
            yield record
