"""The records in a JSON document: an object, an array of objects, or one of MLflow's four formats.

A short document is decoded whole, a long one in blocks; both are converted by the same functions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lightmodel.errors import ContractViolation, DataError, Violation
from lightmodel.tables.file_forms import WRAPPERS
from lightmodel.tables.json_scan import JsonScanner, too_wide
from lightmodel.tables.json_text import Load, Record

FORMS_HINT = (
    "send an object, an array of objects, or MLflow's "
    "dataframe_split, dataframe_records, inputs or instances"
)
_POSITIONAL = {"instances", "inputs"}
SHORT_DOCUMENT = 64 << 10  # bytes; a longer one is decoded in blocks


@dataclass(frozen=True)
class JsonSizes:
    """The bytes that are decoded at once, and the columns that a record may have."""

    block: int
    columns: int


def long_document(
    text: bytes | bytearray, features: Sequence[str], sizes: JsonSizes, load: Load
) -> Iterator[list[Record]]:
    """Yield the records of a document, some at a time; there is at least one in all.

    Args:
        text: the document.
        features: names for the values without names in MLflow's `instances` and `inputs`.
        sizes: of what is decoded at once.
        load: decodes a text.

    Raises:
        DataError: it is not JSON, or holds no records.
        ContractViolation: dataframe_split names a column twice.
        TooLarge: a record has too many columns.
    """
    scanner, is_empty = JsonScanner(text, load, sizes.block, sizes.columns), True
    for records in _LongDocument(scanner, features).records():
        if records:
            is_empty = False
            yield records
    if is_empty:
        raise _no_records()


def refuse_wide_records(records: Sequence[Record], columns: int) -> None:
    """Refuse records that have too many columns.

    Raises:
        TooLarge: one has.
    """
    if max(map(len, records), default=0) > columns:
        raise too_wide(columns)


def extract_records(content: object, features: Sequence[str] = ()) -> list[Record]:
    """Return the records in a JSON value.

    Args:
        content: the value.
        features: names for the values without names in MLflow's `instances` and `inputs`.

    Raises:
        DataError: there are none.
        ContractViolation: dataframe_split names a column twice.
    """
    names: Sequence[str] = ()
    if isinstance(content, dict):
        forms = [form for form in WRAPPERS if isinstance(content.get(form), dict | list)]
        if len(forms) > 1:
            raise _two_forms(*forms[:2])
        if forms:
            content, names = content[forms[0]], features if forms[0] in _POSITIONAL else ()
            if forms[0] == "dataframe_split":
                return _from_split(content)
            if isinstance(content, dict) and forms[0] in _POSITIONAL:
                content = _from_columns(content)
    values = content if isinstance(content, list) else [content]
    if not values:
        raise _no_records()
    return _to_records(names, values)


def _to_records(names: Sequence[str], values: list[Any], before: int = 0) -> list[Record]:
    """Return values as records; lists of values without names are rows of the columns `names`."""
    if names and not any(isinstance(value, dict) for value in values):
        if len(names) == 1:
            values = [value if isinstance(value, list) else [value] for value in values]
        if all(isinstance(value, list) for value in values):
            return _from_rows("row", names, values, before)
    for at, record in enumerate(values, start=before + 1):
        if not isinstance(record, dict):
            raise DataError(f"record {at} is not a JSON object", hint=FORMS_HINT)
    return values


def _from_rows(what: str, names: Sequence[str], rows: list[Any], before: int = 0) -> list[Record]:
    for number, row in enumerate(rows, start=before + 1):
        if not isinstance(row, list) or len(row) != len(names):
            raise DataError(f"{what} {number} does not have {len(names)} values", hint=FORMS_HINT)
    return [dict(zip(names, row, strict=True)) for row in rows]


_split_rows = partial(_from_rows, "dataframe_split: row")


def _from_split(content: object) -> list[Record]:
    columns = content.get("columns") if isinstance(content, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, list):
        raise _no_split()
    names = _split_names(columns)
    if not data:
        raise _no_records()
    return _split_rows(names, data)


def _split_names(columns: object) -> list[str]:
    if not isinstance(columns, list):
        raise _no_split()
    names = [str(column) for column in columns]
    if len(set(names)) < len(names):
        violations = [
            Violation(name, "duplicate_column", "occurs more than once in dataframe_split")
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
        raise ContractViolation(violations, what="the request")
    return names


def _from_columns(content: Mapping[str, Any]) -> list[Any]:
    """Return records from columns, name → list of values, all of one length."""
    columns = [value if isinstance(value, list) else [value] for value in content.values()]
    if len({len(column) for column in columns}) > 1:
        raise _uneven()
    return [dict(zip(content, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True)
class _LongDocument:
    """A document that is decoded in blocks."""

    scanner: JsonScanner
    features: Sequence[str]

    def records(self) -> Iterator[list[Record]]:
        """Yield its records."""
        opening = self.scanner.peek()
        if opening == b"[":
            yield from self._array(partial(_to_records, ()))
        elif opening == b"{":
            yield from self._object()
        else:
            yield extract_records(self.scanner.value())
        self.scanner.end()

    def _array(self, convert: Callable[[list[Any], int], list[Record]]) -> Iterator[list[Record]]:
        before = 0
        for values in self.scanner.blocks():
            yield convert(values, before)
            before += len(values)

    def _object(self) -> Iterator[list[Record]]:
        """Yield the records of the format that a key names, or the object itself as one."""
        scanner, found = self.scanner, ""
        start = scanner.at
        for key in scanner.members():
            opening = scanner.peek()
            if key not in WRAPPERS or opening not in {b"[", b"{"}:
                scanner.skip()
                continue
            if found:
                raise _two_forms(found, key)
            found = key
            yield from self._form(key, opening)
        if not found:
            scanner.at = start
            yield [scanner.value()]

    def _form(self, form: str, opening: bytes) -> Iterator[list[Record]]:
        if form == "dataframe_split":
            if opening != b"{":
                raise _no_split()
            return self._split()
        if opening == b"[":
            return self._array(partial(_to_records, self.features if form in _POSITIONAL else ()))
        return self._columns() if form in _POSITIONAL else iter([[self.scanner.value()]])

    def _split(self) -> Iterator[list[Record]]:
        """Yield the rows of dataframe_split, whose columns may come behind its data."""
        scanner, names, rows = self.scanner, None, -1
        seen = False
        for key in scanner.members():
            if key == "columns":
                names = _split_names(scanner.value())
            elif key == "data" and scanner.peek() == b"[":
                seen, rows = True, scanner.at
                if names is None:
                    scanner.skip()
                else:
                    yield from self._array(partial(_split_rows, names))
                    rows = -1
            else:
                scanner.skip()
        if names is None or not seen:
            raise _no_split()
        if rows >= 0:
            behind = _LongDocument(replace(scanner, at=rows), self.features)
            yield from behind._array(partial(_split_rows, names))

    def _columns(self) -> Iterator[list[Record]]:
        """Yield records from columns, of each of which a block is decoded at a time."""
        scanner, starts = self.scanner, dict[str, int]()
        for key in scanner.members():
            starts[key] = scanner.at
            scanner.find_end()
        block = max(1, scanner.block // max(1, len(starts)))
        columns = [_column(replace(scanner, at=start, block=block)) for start in starts.values()]
        held = [next(column, []) for column in columns]
        wanted = min(map(len, held), default=0)
        while rows := min(map(len, held), default=0):
            yield [dict(zip(starts, row, strict=True)) for row in zip(*held, strict=False)]
            held = [
                _refilled(values[rows:], column, wanted)
                for values, column in zip(held, columns, strict=True)
            ]
        if any(held):
            raise _uneven()


def _refilled(values: list[Any], column: Iterator[list[Any]], wanted: int) -> list[Any]:
    """Return values and those that follow, at least `wanted` if there are as many."""
    while len(values) < wanted and (more := next(column, [])):
        values += more
    return values


def _column(scanner: JsonScanner) -> Iterator[list[Any]]:
    """Return the values of a column, in blocks; a single value is a column of one row."""
    return scanner.blocks() if scanner.peek() == b"[" else iter([[scanner.value()]])


def _two_forms(first: str, second: str) -> DataError:
    return DataError(f"the body holds both {first} and {second}", hint=FORMS_HINT)


def _no_records() -> DataError:
    return DataError("the body holds no records", hint=FORMS_HINT)


def _no_split() -> DataError:
    return DataError("dataframe_split lacks the lists `columns` and `data`", hint=FORMS_HINT)


def _uneven() -> DataError:
    return DataError("inputs: the lists differ in length", hint=FORMS_HINT)
