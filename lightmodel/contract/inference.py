"""Infer a contract from a table: roles, types, ranges, categories and the task."""

import json
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import EXACT, distinct_categories
from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.free_text import is_free_text
from lightmodel.contract.task import (
    Label,
    Task,
    TaskKind,
    is_answer_name,
    is_guess,
    label_name,
    ordered_labels,
)
from lightmodel.errors import DataError

MAX_INTEGER_CLASSES = 20
MAX_CLASSES = 1_000
MAX_CATEGORIES = 1_000
_FEW_ROWS = 20  # in which all texts may differ by chance
_ID_NAME = re.compile(
    r"(?i:id|uuid|guid|index|row_?(id|no|number)|id_code|.+[_ ](id|id_code|uuid))|.*[a-z]Id"
)


@dataclass(frozen=True)
class ColumnHints:
    """Settings that guide the inference of a contract; see docs/config.md."""

    target: str
    id: str = "auto"
    ignore: tuple[str, ...] = ()
    task: str = "auto"
    positive: str = "auto"
    text: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inferred:
    """A contract, and warnings about what was guessed, dropped or rounded."""

    contract: Contract
    warnings: tuple[str, ...]


def infer(table: pa.Table, hints: ColumnHints, dialect: Dialect | None = None) -> Inferred:
    """Infer the contract of a training table with distinct column names.

    Args:
        table: of plain types; a missing value is null.
        hints: from the settings.
        dialect: of the table; becomes part of the contract.

    Raises:
        DataError: a named column does not exist, the target is unsuitable, or the id has a name
            that answers use.
    """
    require_column(table, hints.target, "data.target")
    require_column(table, hints.id if hints.id != "auto" else "", "data.id")
    for name in hints.ignore:
        require_column(table, name, "data.ignore")
    for name in hints.text:
        require_column(table, name, "data.text")
    task = infer_task(table[hints.target], hints)
    warnings = _guessed_positive(task, hints)
    id_name = _id_column(table, hints) if hints.id == "auto" else hints.id
    contract = Contract((), task, dialect)
    _reject_answer_name(id_name, task)
    columns = []
    for name in table.column_names:
        role = _role(name, id_name, hints)
        if role is Role.FEATURE and name in hints.text:
            columns.append(Column(name, role, ColumnType.TEXT, table[name].null_count > 0))
            continue
        columns.append(_column(name, role, table[name], contract.decimal, warnings))
    if not any(column.role is Role.FEATURE for column in columns):
        raise DataError("no column is left to predict from", hint="check data.ignore and data.id")
    return Inferred(replace(contract, columns=tuple(columns)), tuple(warnings))


def require_column(table: pa.Table, name: str, setting: str) -> None:
    """Raise a DataError that lists the columns if `name`, from this setting, is none; "" is ignored."""
    if not name or name in table.column_names:
        return
    known = ", ".join(table.column_names[:20]) + (", …" if table.num_columns > 20 else "")
    near = get_close_matches(name, table.column_names, n=1)
    raise DataError(
        f"the table has no column {name!r}, which {setting} names; it has {known}",
        hint=f"correct {setting}"
        + (f": is it {near[0]!r}?" if near else "; a file without a header needs data.columns"),
    )


def _id_column(table: pa.Table, hints: ColumnHints) -> str:
    """Return the first column whose name, type and mostly distinct values suggest an id, else ""."""
    for name in table.column_names:
        taken = name == hints.target or name in hints.ignore
        if not taken and _ID_NAME.fullmatch(name) and _may_be_ids(table[name]):
            return str(name)
    return ""


def _reject_answer_name(id_name: str, task: Task) -> None:
    """Raise a DataError if the id, which each answer repeats, is named like another value of it."""
    if is_answer_name(id_name, task):
        raise DataError(
            f"the id column {id_name!r} has the name of a value that the service adds to each row",
            hint="rename it in the table, or set data.id to another column, or to nothing for none",
        )


def _may_be_ids(values: pa.ChunkedArray) -> bool:
    kind = values.type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind)):
        return False
    return bool(pc.count_distinct(values).as_py() >= 0.5 * len(values))


def _role(name: str, id_name: str, hints: ColumnHints) -> Role:
    if name == hints.target:
        return Role.TARGET
    if name == id_name:
        return Role.ID
    return Role.IGNORED if name in hints.ignore else Role.FEATURE


def _column(
    name: str, role: Role, values: pa.ChunkedArray, decimal: str, warnings: list[str]
) -> Column:
    kind = column_type(values.type)
    missing = values.null_count > 0
    if kind.is_numeric:
        column = _numeric(name, role, kind, values)
        _check_size(column, warnings)
        return column
    if kind is not ColumnType.CATEGORY or role is not Role.FEATURE:
        if role is Role.FEATURE and kind is ColumnType.DATE:
            warnings.append(f"column {name!r} holds dates and is ignored: derive numbers from it")
            role = Role.IGNORED
        return Column(name, role, kind, missing)
    return _category(name, values, decimal, warnings)


def _check_size(column: Column, warnings: list[str]) -> None:
    """Warn about integers that float64 rounds, and refuse them in the target.

    Raises:
        DataError: the target holds such integers.
    """
    largest = max(abs(column.minimum or 0), abs(column.maximum or 0))
    if column.type is not ColumnType.INTEGER or largest < EXACT:
        return
    what = (
        f"column {column.name!r} holds whole numbers beyond 2^53, which a model cannot tell apart"
    )
    if column.role is Role.TARGET:
        raise DataError(f"{what}, and is the target", hint="is it an id? Write labels as text")
    if column.role is Role.FEATURE:
        warnings.append(f"{what}: they are rounded; if it is an id, set data.id or data.ignore")


def _numeric(name: str, role: Role, kind: ColumnType, values: pa.ChunkedArray) -> Column:
    finite = values
    missing = values.null_count > 0
    if kind is ColumnType.NUMBER:
        missing = missing or pc.any(pc.is_nan(values)).as_py() is True
        if not pa.types.is_null(values.type):
            finite = values.filter(pc.is_finite(values))
    extremes = pc.min_max(finite).as_py()
    low, high = extremes["min"], extremes["max"]
    known = low is not None and role is not Role.ID
    return Column(
        name, role, kind, missing, float(low) if known else None, float(high) if known else None
    )


def _category(name: str, values: pa.ChunkedArray, decimal: str, warnings: list[str]) -> Column:
    distinct = values.drop_null().unique()
    missing = values.null_count > 0
    if is_free_text(distinct, len(values) - values.null_count):
        return Column(name, Role.FEATURE, ColumnType.TEXT, missing)
    if len(distinct) > MAX_CATEGORIES and len(distinct) > 0.2 * len(values):
        warnings.append(
            f"column {name!r} has {len(distinct):,} distinct texts in {len(values):,} rows and is "
            f"ignored: {_if_id(name)}; to learn from parts of its texts, add it to data.text"
        )
        return Column(name, Role.IGNORED, ColumnType.CATEGORY, missing)
    if len(distinct) == len(values) > _FEW_ROWS:
        warnings.append(
            f"column {name!r} has another text in each row, from which nothing can be learnt: "
            f"{_if_id(name)}, else add it to data.ignore"
        )
    categories = distinct_categories(distinct.to_pylist(), decimal)
    return Column(name, Role.FEATURE, ColumnType.CATEGORY, missing, categories=categories)


def _if_id(name: str) -> str:
    return f"if it identifies the rows, set data.id = {json.dumps(name, ensure_ascii=False)}"


def column_type(arrow: pa.DataType) -> ColumnType:
    """Return the contract's type for one of Arrow's plain types."""
    if pa.types.is_integer(arrow):
        return ColumnType.INTEGER
    if pa.types.is_floating(arrow) or pa.types.is_null(arrow):
        return ColumnType.NUMBER
    if pa.types.is_boolean(arrow):
        return ColumnType.BOOLEAN
    if pa.types.is_temporal(arrow):
        return ColumnType.DATE
    return ColumnType.CATEGORY


def infer_task(target: pa.ChunkedArray, hints: ColumnHints) -> Task:
    """Infer the task from the target's values, or check the given one against them.

    Raises:
        DataError: the target does not fit the task, or has too many classes.
    """
    values = target.drop_null()
    if not has_classes(target, hints):
        if not column_type(values.type).is_numeric:
            raise DataError(
                f"the target {hints.target!r} holds {column_type(values.type)} values, "
                "and regression needs numbers",
                hint='set train.task = "auto", or write the target as numbers',
            )
        return Task(TaskKind.REGRESSION)
    labels = _labels(values, hints)
    kind = TaskKind.BINARY if len(labels) <= 2 else TaskKind.MULTICLASS
    if hints.task not in {"auto", kind}:
        raise DataError(
            f"the target {hints.target!r} has {len(labels)} classes, which is not {hints.task}",
            hint="set train.task to auto, binary, multiclass or regression",
        )
    return Task(kind, labels)


def _guessed_positive(task: Task, hints: ColumnHints) -> list[str]:
    """Return a warning if the positive class is only the last one in sorted order."""
    if hints.positive != "auto" or not is_guess(task.labels):
        return []
    other, positive = (label_name(label) for label in task.labels)
    setting = f"train.positive = {json.dumps(other, ensure_ascii=False)}"
    return [
        f"the positive class is {positive!r}, the last in sorted order; if it is {other!r}, set {setting}"
    ]


def has_classes(target: pa.ChunkedArray, hints: ColumnHints) -> bool:
    """Return whether a target holds class labels, by the settings or else by its values."""
    if hints.task == "auto":
        return not _is_continuous(target.drop_null())
    return hints.task != TaskKind.REGRESSION


def _is_continuous(values: pa.ChunkedArray) -> bool:
    """Return whether a target is a quantity to estimate (regression), rather than a class label."""
    kind = column_type(values.type)
    if not kind.is_numeric or len(values) == 0:
        return False
    distinct = pc.count_distinct(values).as_py()
    if kind is ColumnType.NUMBER and not pc.all(pc.equal(values, pc.floor(values))).as_py():
        return bool(distinct > 2)
    return bool(distinct > MAX_INTEGER_CLASSES or (distinct > 2 and distinct > 0.2 * len(values)))


def _labels(values: pa.ChunkedArray, hints: ColumnHints) -> tuple[Label, ...]:
    distinct = values.unique().to_pylist()
    texts = pa.types.is_string(values.type)
    labels = distinct_categories(distinct) if texts else [_as_label(one) for one in distinct]
    if len(labels) > MAX_CLASSES:
        raise DataError(
            f"the target {hints.target!r} has {len(labels):,} distinct values, too many for classes",
            hint="is it the right column? For numbers, set train.task=regression",
        )
    try:
        return ordered_labels(labels, hints.positive)
    except ValueError as error:
        raise DataError(
            f"train.positive: {error}", hint="write the label as it is in the table"
        ) from None


def _as_label(label: Label) -> Label:
    """Return 3.0 as 3, because a column of integers with a missing one is read as floats."""
    return int(label) if isinstance(label, float) and label.is_integer() else label
