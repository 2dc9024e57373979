"""Infer the task from the target's values: classes to tell apart, or a quantity to estimate."""

import json

import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import distinct_categories
from lightmodel.contract.column_inference import column_type
from lightmodel.contract.columns import ColumnType
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.task import Label, Task, TaskKind, is_guess, label_name, ordered_labels
from lightmodel.errors import DataError

MAX_INTEGER_CLASSES = 20
MAX_CLASSES = 1_000


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


def guessed_positive(task: Task, hints: ColumnHints) -> list[str]:
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
