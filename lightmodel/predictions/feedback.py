"""Late truths: from a table with an id and the target to one label, as text, for each id."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightmodel.contract.columns import Contract
from lightmodel.contract.task import Label, Task, TaskKind, label_name
from lightmodel.errors import SHOWN_ROWS, ContractViolation, DataError, Violation
from lightmodel.predictions.base import id_text

_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_CELL = 1 << 20


@dataclass(frozen=True)
class TruthTable:
    """The two columns that matter, by row; a cell that is not there is None."""

    ids: Sequence[object]
    values: Sequence[object]


def truths_of(table: TruthTable, contract: Contract) -> Mapping[str, str]:
    """Give the truth of each id, written as the task's label or as a number; the last row wins.

    Raises:
        ContractViolation: ids are missing, or values are no labels of the task.
    """
    read = truth_reader(contract.task)
    ids = [id_text(value) or None for value in table.ids]
    truths = [None if value is None else read(value) for value in table.values]
    kind = "a number" if contract.task.kind is TaskKind.REGRESSION else "a label of the model"
    violations = [
        _violation(_id_column(contract), "missing", "has no value", ids),
        _violation(contract.target.name, "label", f"is not {kind}", truths),
    ]
    found = [violation for violation in violations if violation]
    if found:
        raise ContractViolation(found, what="the table of truths")
    return {key: truth for key, truth in zip(ids, truths, strict=True) if key and truth}


def _violation(
    column: str, rule: str, detail: str, values: Sequence[str | None]
) -> Violation | None:
    rows = [row for row, value in enumerate(values, start=1) if value is None]
    return Violation(column, rule, detail, tuple(rows[:SHOWN_ROWS]), len(rows)) if rows else None


def truth_reader(task: Task) -> Callable[[object], str | None]:
    """Give what writes a truth as `label_name` does, or as a number; None for what is neither."""
    if task.kind is TaskKind.REGRESSION:
        return _number
    names = {label_name(label) for label in task.labels}
    numbers = {_number(label): label_name(label) for label in task.labels if _is_number(label)}
    boolean = any(isinstance(label, bool) for label in task.labels)

    def label(value: object) -> str | None:
        text = label_name(value).strip() if isinstance(value, str | int | float) else ""
        if boolean:
            text = {"1": "true", "0": "false"}.get(text, text.lower())
        return text if text in names else numbers.get(_number(value))

    return label


def _is_number(label: Label) -> bool:
    return isinstance(label, int | float) and not isinstance(label, bool)


def _number(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return repr(number) if math.isfinite(number) else None


def read_csv(data: bytes, contract: Contract, decimal: str = ".") -> TruthTable:
    """Read a CSV file with a header; cells stay as they are written, so that an id 007 stays one.

    Args:
        data: in UTF-8.
        contract: of the model.
        decimal: the decimal mark; "auto" is the point here.

    Raises:
        DataError: it is no CSV, or has no rows.
        ContractViolation: the column of the id or the target is not there.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("the table of truths is not UTF-8 text", hint="save it as UTF-8") from None
    wanted = (_id_column(contract), contract.target.name)
    csv.field_size_limit(_LONGEST_CELL)
    try:
        header, rows = _rows(text, wanted)
    except csv.Error as error:
        raise DataError(f"the table of truths is no CSV: {error}") from None
    places = _places(header, wanted)
    cells = [
        [row[at] if at < len(row) and row[at] != "" else None for at in places] for row in rows
    ]
    if not cells:
        raise DataError("the table of truths holds no rows")
    comma = decimal == "," and contract.task.kind is TaskKind.REGRESSION
    values = [row[1].replace(",", ".") if comma and row[1] else row[1] for row in cells]
    return TruthTable([row[0] for row in cells], values)


def _rows(text: str, wanted: tuple[str, str]) -> tuple[list[str], list[list[str]]]:
    """Split by the delimiter whose header has the wanted columns, or else by the comma."""
    first = text.partition("\n")[0].rstrip("\r")
    headers = {
        mark: _stripped(next(csv.reader([first], delimiter=mark), [])) for mark in _DELIMITERS
    }
    fits = [mark for mark, header in headers.items() if set(wanted) <= set(header)]
    mark = fits[0] if fits else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    return _stripped(next(rows, [])), [row for row in rows if any(row)]


def _stripped(cells: list[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _places(names: Sequence[str], wanted: tuple[str, str]) -> tuple[int, int]:
    violations = [
        Violation(name, "absent", "is not in the table")
        if name not in names
        else Violation(name, "duplicate_column", "stands in the table more than once")
        for name in wanted
        if names.count(name) != 1
    ]
    if violations:
        hint = f"send the columns {wanted[0]} and {wanted[1]}"
        raise ContractViolation(violations, what="the table of truths", hint=hint)
    return names.index(wanted[0]), names.index(wanted[1])


def read_records(records: object, contract: Contract) -> TruthTable:
    """Read a list of JSON records (or one record) that hold the id and the target.

    Raises:
        DataError: it is no such list, or an empty one.
        ContractViolation: the column of the id or the target is in none of them.
    """
    rows: Any = [records] if isinstance(records, dict) else records
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        name, target = _id_column(contract), contract.target.name
        raise DataError(
            "the truths are not a list of JSON objects",
            hint=f'[{{"{name}": "…", "{target}": "…"}}]',
        )
    wanted = (_id_column(contract), contract.target.name)
    _places(list({name: None for row in rows for name in row}), wanted)
    return TruthTable([row.get(wanted[0]) for row in rows], [row.get(wanted[1]) for row in rows])


def _id_column(contract: Contract) -> str:
    """Name the column that truths are joined by.

    Raises:
        DataError: the table has none.
    """
    if contract.id is None:
        raise DataError(
            "the model's table has no id column, so that truths cannot be matched",
            hint="name the column in data.id, and train on it",
        )
    return contract.id.name
