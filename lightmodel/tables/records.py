"""Records of JSON, and columns made of Python values, as JSON and workbooks give them."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from lightmodel.contract.cells import EXACT, text_of
from lightmodel.errors import ContractViolation, DataError, Violation
from lightmodel.tables.column_types import TIMESTAMP, temporal

Record = Mapping[str, Any]

LAYOUT = (
    "send an object, an array of objects, or MLflow's dataframe_split, dataframe_records or inputs"
)
_LINES = "write one JSON object a line, or an array of objects, e.g. pandas' orient='records'"
_INT64 = range(-(2**63), 2**63)
_MIDNIGHT = dt.time()


def column_of(values: Sequence[object], missing: frozenset[str]) -> pa.Array:
    """Return values the one type that suits them all; text where there is no other.

    Whole floats in a column without others become integers, for spreadsheets do not tell the two
    apart. Text that is empty or in `missing` is null.
    """
    cells = [_cell(value, missing) for value in values]
    kinds: set[type] = {type(cell) for cell in cells if cell is not None}
    if not kinds:
        return pa.nulls(len(cells), pa.float64())
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds <= {int, float}:
        return _numbers([cell for cell in cells if cell is None or isinstance(cell, int | float)])
    if kinds <= {dt.date, dt.datetime}:
        return _times(cells)
    texts = pa.array([None if cell is None else text_of(cell) for cell in cells], pa.string())
    return temporal(texts) if kinds == {str} else texts


def _cell(value: object, missing: frozenset[str]) -> object:
    if isinstance(value, str):
        value = value.strip()
        return None if not value or value in missing else value
    return None if isinstance(value, float) and value != value else value


def _numbers(cells: Sequence[int | float | None]) -> pa.Array:
    present = [cell for cell in cells if cell is not None]
    if any(isinstance(cell, int) and cell not in _INT64 for cell in present):
        too_long = all(isinstance(cell, int) for cell in present)
        kind: Callable[[object], object] = str if too_long else _float
        return pa.array([None if cell is None else kind(cell) for cell in cells])
    if all(isinstance(cell, int) or (cell.is_integer() and abs(cell) <= EXACT) for cell in present):
        return pa.array([None if cell is None else int(cell) for cell in cells], pa.int64())
    return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())


def _float(cell: object) -> float:
    return float(str(cell))  # of an int of any size, where float() may overflow


def _times(cells: Sequence[object]) -> pa.Array:
    instants = [_instant(cell) for cell in cells]
    if all(instant is None or instant.time() == _MIDNIGHT for instant in instants):
        return pa.array([None if it is None else it.date() for it in instants], pa.date32())
    return pa.array(instants, TIMESTAMP)


def _instant(cell: object) -> dt.datetime | None:
    if isinstance(cell, dt.datetime):
        return cell
    return dt.datetime.combine(cell, _MIDNIGHT) if isinstance(cell, dt.date) else None


def loaded(text: bytes, load: Callable[[bytes], Any] = orjson.loads) -> object:
    """Return the one value that a JSON text holds.

    Args:
        text: in UTF-8.
        load: `orjson.loads`, or the slower `json.loads`, which keeps whole numbers of any length.

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


def _as_it_is(content: object) -> object:
    return content


_FORMS = {
    "dataframe_split": _split,
    "dataframe_records": _as_it_is,
    "instances": _as_it_is,
    "inputs": _inputs,
}
