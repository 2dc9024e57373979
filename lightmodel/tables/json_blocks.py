"""Parse the records in JSON, and read requests of them as blocks of validated rows."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

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
from lightmodel.errors import SHOWN_ROWS, ContractViolation, DataError, TooLarge, Violation
from lightmodel.tables.byte_stream import Chunks
from lightmodel.tables.row_rules import Block, RowRules

Record = Mapping[str, Any]

FORMS_HINT = (
    "send an object, an array of objects, or MLflow's dataframe_split, dataframe_records or inputs"
)
_LINES_HINT = "write one JSON object per line, or an array, e.g. by pandas with orient='records'"
LONGEST_LINE = 8 << 20
_NUMBER_TYPES = {int, float}


@dataclass(frozen=True)
class JsonBlocks:
    """Reads JSON for one contract."""

    rules: RowRules
    missing: frozenset[str]  # texts that mean a missing value

    def read(self, body: bytes) -> Block:
        """Read a whole body.

        Raises:
            DataError: it is not JSON, or holds no records.
            ContractViolation: a column is in none of the records.
        """
        records = extract_records(parse_json(body))
        return self.block(records, exact=lambda: extract_records(parse_json(body, load_exactly)))

    def read_lines(self, chunks: Chunks) -> Iterator[Block]:
        """Yield a block of rows for each chunk of JSON Lines; there is at least one record in all.

        Raises:
            DataError: a line is not a JSON object.
            ContractViolation: a column is in none of the records of the first block.
            TooLarge: a line has more than 8 MB.
        """
        lines, known = 0, frozenset[str]()
        for text in _whole_lines(chunks):
            records = list(parse_json_lines(text, lines))
            lines += text.count(b"\n")
            if records:
                block = self.block(
                    records, known, partial(parse_json_lines, text, load=load_exactly)
                )
                known = known or frozenset(self.rules.places)
                yield block
        if not known:
            raise DataError("the body holds no records", hint=FORMS_HINT)

    def block(
        self,
        records: Sequence[Record],
        known: frozenset[str] = frozenset(),
        exact: Callable[[], Iterable[Record]] | None = None,
    ) -> Block:
        """Validate records.

        Args:
            records: at least one.
            known: columns that count as present, besides those in the records.
            exact: returns the records with integers of any length; called when `records` has lost
                some of their digits.
        """
        names, records = _normalize_names(_names(records), records)
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
            column.name: list(map(to_str, columns[column.name]))
            for column in self.rules.categorical
        }
        violations, unseen = self.rules.validate(features, texts, self.missing)
        violations = (*_nested(columns), *violations)
        return Block(features, ids, violations, unseen, mapping.extra)

    def _columns(self, records: Sequence[Record], id_name: str | None) -> dict[str, list[Any]]:
        """Return the cells of the category columns and of the id, by column."""
        names = [column.name for column in self.rules.categorical]
        names += [id_name] if id_name is not None else []
        return {name: [record.get(name) for record in records] for name in names}

    def _features(self, records: Sequence[Record]) -> Matrix:
        numeric = self.rules.numeric
        features = np.empty((len(records), len(self.rules.places)))
        rows = self._numeric_cells(records)
        if self._are_plain_numbers and set(map(type, chain.from_iterable(rows))) <= _NUMBER_TYPES:
            features[:, self._numeric_places] = np.array(rows, np.float64).reshape(
                len(rows), len(numeric)
            )
            return features
        for at, column in enumerate(numeric):
            read = _to_boolean if column.type is ColumnType.BOOLEAN else _to_number
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
        if not self.rules.categorical:
            return slice(None)
        return [self.rules.places[column.name] for column in self.rules.numeric]

    @cached_property
    def _are_plain_numbers(self) -> bool:
        return all(column.type is not ColumnType.BOOLEAN for column in self.rules.numeric)


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


def load_json(text: bytes) -> Any:  # noqa: ANN401 — any JSON value
    """Return a JSON value; NaN is null, as Python's json and pandas write a missing number.

    Raises:
        ValueError: it is not JSON.
        DataError: a number in it is infinite.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if b"NaN" not in text:
            raise
        return load_exactly(text)


def load_exactly(text: bytes) -> Any:  # noqa: ANN401 — any JSON value
    """Return a JSON value as `load_json` does, more slowly, but with integers of any length."""
    return json.loads(text, parse_constant=_constant)


def _constant(name: str) -> None:
    if name != "NaN":
        raise DataError(f"the text is not valid JSON: {name} is not a finite number")


def parse_json(text: bytes, load: Callable[[bytes], Any] = load_json) -> object:
    """Return the one value that a JSON text holds.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return load(text)
    except json.JSONDecodeError as error:  # also the base class of orjson's error
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"the text is not JSON ({where})") from None
    except (ValueError, RecursionError):
        raise DataError(
            "the text is not valid JSON: it is nested too deeply, or a number in it is too long"
        ) from None


def parse_json_lines(
    text: bytes, before: int = 0, load: Callable[[bytes], Any] = load_json
) -> Iterator[Record]:
    """Yield the records of JSON Lines; `before` is the count of preceding lines.

    Raises:
        DataError: a line is not a JSON object.
    """
    for number, line in enumerate(text.split(b"\n"), start=before + 1):
        if line.strip():
            try:
                record = load(line)
            except (ValueError, RecursionError):
                raise DataError(f"line {number} is not JSON", hint=_LINES_HINT) from None
            if not isinstance(record, dict):
                raise DataError(f"line {number} is not a JSON object", hint=_LINES_HINT)
            yield record


def extract_records(content: object) -> list[Record]:
    """Return the records in a JSON value: an object, an array of objects, or one of MLflow's formats.

    Raises:
        DataError: there are none.
        ContractViolation: dataframe_split names a column twice.
    """
    if isinstance(content, dict):
        forms = [form for form in _FORMS if isinstance(content.get(form), dict | list)]
        if len(forms) > 1:
            raise DataError(f"the body holds both {forms[0]} and {forms[1]}", hint=FORMS_HINT)
        if forms:
            content = _FORMS[forms[0]](content[forms[0]])
    records: list[Any] = content if isinstance(content, list) else [content]
    wrong = [at for at, record in enumerate(records, start=1) if not isinstance(record, dict)]
    if wrong or not records:
        what = f"record {wrong[0]} is not a JSON object" if wrong else "the body holds no records"
        raise DataError(what, hint=FORMS_HINT)
    return records


def _from_split(content: object) -> list[Record]:
    columns = content.get("columns") if isinstance(content, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(columns, list) or not isinstance(data, list):
        raise DataError("dataframe_split lacks the lists `columns` and `data`", hint=FORMS_HINT)
    names = [str(column) for column in columns]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        violations = [
            Violation(name, "duplicate_column", "occurs more than once in dataframe_split")
            for name in repeated
        ]
        raise ContractViolation(violations, what="the request")
    for number, row in enumerate(data, start=1):
        if not isinstance(row, list) or len(row) != len(names):
            raise DataError(
                f"dataframe_split: row {number} does not have {len(names)} values", hint=FORMS_HINT
            )
    return [dict(zip(names, row, strict=True)) for row in data]


def _from_inputs(content: object) -> object:
    """Return records from columns, a dict of name → list of values, all of one length."""
    if not isinstance(content, dict) or not content:
        return content
    columns = [value if isinstance(value, list) else [value] for value in content.values()]
    if len({len(column) for column in columns}) > 1:
        raise DataError("inputs: the lists differ in length", hint=FORMS_HINT)
    return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)]


_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "dataframe_split": _from_split,
    "dataframe_records": lambda records: records,
    "instances": lambda records: records,
    "inputs": _from_inputs,
}
