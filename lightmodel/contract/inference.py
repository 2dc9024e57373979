"""Infer a contract from a table: roles, types, ranges, categories and the task."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import EXACT, distinct_categories
from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.dates import DAY, NO_TIME, to_seconds
from lightmodel.contract.formats import time_format
from lightmodel.contract.free_text import is_free_text
from lightmodel.contract.identifiers import (
    Identifiers,
    find_identifiers,
    is_id_name,
    kept_warning,
    left_out_warning,
    says_id,
)
from lightmodel.contract.task import (
    Label,
    Task,
    TaskKind,
    is_answer_name,
    is_guess,
    label_name,
    ordered_labels,
)
from lightmodel.contract.time_arrays import is_kind, micros_of
from lightmodel.errors import DataError

MAX_INTEGER_CLASSES = 20
MAX_CLASSES = 1_000
MAX_CATEGORIES = 1_000
_FEW_ROWS = 20  # in which all texts may differ by chance


@dataclass(frozen=True)
class ColumnHints:
    """Settings that guide the inference of a contract; see docs/config.md.

    Attributes:
        accepted: the features of the approved model, which stay features.
    """

    target: str
    id: str = "auto"
    ignore: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    task: str = "auto"
    positive: str = "auto"
    time: str = ""
    dates: str = "auto"
    text: tuple[str, ...] = ()
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Inferred:
    """A contract, and warnings about what was guessed, dropped or rounded."""

    contract: Contract
    warnings: tuple[str, ...]


def infer(
    table: pa.Table,
    hints: ColumnHints,
    dialect: Dialect | None = None,
    formats: Mapping[str, str] | None = None,
) -> Inferred:
    """Infer the contract of a training table with distinct column names.

    Args:
        table: of plain types; a missing value is null.
        hints: from the settings.
        dialect: of the table; becomes part of the contract.
        formats: of the columns whose texts were read by one; become part of the contract.

    Raises:
        DataError: a named column does not exist, the target is unsuitable, or the id has a name
            that answers use.
    """
    require_column(table, hints.target, "data.target")
    require_column(table, hints.id if hints.id != "auto" else "", "data.id")
    for setting in ("ignore", "keep", "text"):
        for name in getattr(hints, setting):
            require_column(table, name, f"data.{setting}")
    task = infer_task(table[hints.target], hints)
    warnings = _guessed_positive(task, hints)
    contract = Contract((), task, dialect)
    identifiers = _identifiers(table, hints, task, warnings)
    _reject_answer_name(identifiers.id, task)
    columns = []
    for name in table.column_names:
        role, values = _role(name, identifiers, hints), table[name]
        if role is Role.FEATURE and name in hints.text:
            column = Column(name, role, ColumnType.TEXT, values.null_count > 0)
        else:
            column = _column(name, role, values, contract.decimal, warnings)
        columns.append(replace(column, format=(formats or {}).get(name, column.format)))
    if not any(column.role is Role.FEATURE for column in columns):
        raise DataError(
            "no column is left to predict from", hint="check data.ignore, data.id and data.keep"
        )
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


def _identifiers(
    table: pa.Table, hints: ColumnHints, task: Task, warnings: list[str]
) -> Identifiers:
    """Return the columns that identify the rows, with a warning; one column at least stays a feature."""
    if not hints.id:
        return Identifiers()
    chosen = {*hints.keep, *hints.text}
    taken = {hints.target, hints.id, *hints.ignore, *chosen}
    free = [name for name in table.column_names if name not in taken]
    found = find_identifiers(table, [name for name in free if name not in hints.accepted])
    if kept := find_identifiers(table, [name for name in free if name in hints.accepted]).names:
        warnings.append(kept_warning(kept))
    if hints.id != "auto":
        found = Identifiers(hints.id, found.names)
    elif is_answer_name(found.id, task):
        found = Identifiers("", found.names)
    if not {*free, *chosen} - {*found.names}:
        found = Identifiers(found.id, ())
    named = [name for name in found.names if name != hints.id and not says_id(name)]
    if named:
        warnings.append(left_out_warning(named, found.id))
    return found


def texts_as_they_are(names: Sequence[str], hints: ColumnHints) -> set[str]:
    """Return the names of columns whose texts no format reads: ids, ignored ones, and free text."""
    ids = {name for name in names if is_id_name(name)} if hints.id == "auto" else {hints.id}
    return (ids | {*hints.ignore, *hints.text}) - {hints.target}


def _reject_answer_name(id_name: str, task: Task) -> None:
    """Raise a DataError if the id, which each answer repeats, is named like another value of it."""
    if is_answer_name(id_name, task):
        raise DataError(
            f"the id column {id_name!r} has the name of a value that the service adds to each row",
            hint="rename it in the table, or set data.id to another column, or to nothing for none",
        )


def _role(name: str, identifiers: Identifiers, hints: ColumnHints) -> Role:
    if name == hints.target:
        return Role.TARGET
    if name == identifiers.id:
        return Role.ID
    return Role.IGNORED if name in {*hints.ignore, *identifiers.others} else Role.FEATURE


def _column(
    name: str, role: Role, values: pa.ChunkedArray, decimal: str, warnings: list[str]
) -> Column:
    kind = column_type(values.type)
    missing = values.null_count > 0
    if kind.is_numeric:
        column = _numeric(name, role, kind, values)
        _check_size(column, warnings)
        return column
    if kind.is_temporal and role is Role.FEATURE:
        return _temporal(name, kind, values)
    if kind is not ColumnType.CATEGORY or role is not Role.FEATURE:
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


def _temporal(name: str, kind: ColumnType, values: pa.ChunkedArray) -> Column:
    micros = micros_of(values)
    known = micros[micros != NO_TIME]
    if kind.is_date:
        kind = ColumnType.DATETIME if (known % DAY).any() else ColumnType.DATE
    extremes = to_seconds(np.array([known.min(), known.max()])).tolist() if len(known) else ()
    low, high = extremes or (None, None)
    missing, written = len(known) < len(values), time_format(kind)
    return Column(name, Role.FEATURE, kind, missing, low, high, format=written)


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
    present = len(values) - values.null_count
    if present > _FEW_ROWS and len(distinct) > 0.5 * present:
        warnings.append(
            f"column {name!r} has {len(distinct):,} distinct texts in {present:,} cells, from which "
            f"{'little' if len(distinct) < present else 'nothing'} can be learnt: {_if_id(name)}, "
            "else add it to data.ignore"
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
    for kind in (ColumnType.DATE, ColumnType.TIME, ColumnType.DURATION):
        if is_kind(arrow, kind):
            return kind
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
