"""JSON: the records in a text, and requests of them as blocks of checked rows."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import numpy as np
import orjson

from lightmodel.contract.cells import (
    INT64_END,
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
from lightmodel.contract.columns import ColumnType
from lightmodel.errors import ContractViolation, DataError, TooLarge, Violation
from lightmodel.tables.byte_stream import Pieces
from lightmodel.tables.row_rules import Block, RowRules

Record = Mapping[str, Any]

LAYOUT = (
    "send an object, an array of objects, or MLflow's dataframe_split, dataframe_records or inputs"
)
_LINES = "write one JSON object a line, or an array of objects, e.g. pandas' orient='records'"
LONGEST_LINE = 8 << 20
_NUMBERS = {int, float}


@dataclass(frozen=True)
class JsonBlocks:
    """Reads JSON for one contract."""

    rules: RowRules
    missing: frozenset[str]  # texts that mean no value

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
                block = self.block(records, known, partial(lines_in, text, load=json.loads))
                known = known or frozenset(self.rules.places)
                yield block
        if not known:
            raise DataError("the body holds no records", hint=LAYOUT)

    def block(
        self,
        records: Sequence[Record],
        known: frozenset[str] = frozenset(),
        exact: Callable[[], Iterable[Record]] | None = None,
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
            _, records = _with_clean_names(names, list(exact()))
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
        plain = all(column.type is not ColumnType.BOOLEAN for column in numeric)
        if plain and set(map(type, chain.from_iterable(rows))) <= _NUMBERS:
            numbers = np.array(rows, np.float64).reshape(len(rows), len(numeric))
            features[:, [self.rules.places[column.name] for column in numeric]] = numbers
            return features
        for at, column in enumerate(numeric):
            read = _boolean if column.type is ColumnType.BOOLEAN else _number
            features[:, self.rules.places[column.name]] = [
                read(row[at], self.missing) for row in rows
            ]
        return features


def _lost_digits(values: Sequence[object]) -> bool:
    """Return whether a whole number was read as a float because it is too long."""
    if float not in set(map(type, values)):
        return False
    return any(isinstance(value, float) and abs(value) >= INT64_END for value in values)


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


def loaded(text: bytes, load: Callable[[bytes], Any] = orjson.loads) -> object:
    """Return the one value that a JSON text holds.

    `json.loads` is slower than `orjson.loads`, and keeps whole numbers of any length.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return load(text)
    except json.JSONDecodeError as error:  # orjson's is one, too
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"the text is not JSON ({where})") from None
    except (ValueError, RecursionError):
        raise DataError(
            "the text is not JSON: it is nested too deep, or a number in it is too long"
        ) from None


def lines_in(
    text: bytes, before: int = 0, load: Callable[[bytes], Any] = orjson.loads
) -> Iterator[Record]:
    """Yield the records of JSON Lines; `before` is how many lines came before.

    Raises:
        DataError: a line is no JSON object.
    """
    for number, line in enumerate(text.split(b"\n"), start=before + 1):
        if line.strip():
            try:
                record = load(line)
            except (ValueError, RecursionError):
                raise DataError(f"line {number} is not JSON", hint=_LINES) from None
            if not isinstance(record, dict):
                raise DataError(f"line {number} is not a JSON object", hint=_LINES)
            yield record


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
    """Return records from columns: a name → a list of values, all of one length."""
    if not isinstance(content, dict) or not content:
        return content
    columns = [value if isinstance(value, list) else [value] for value in content.values()]
    if len({len(column) for column in columns}) > 1:
        raise DataError("inputs: its lists differ in length", hint=LAYOUT)
    return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)]


_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "dataframe_split": _split,
    "dataframe_records": lambda records: records,
    "instances": lambda records: records,
    "inputs": _inputs,
}
