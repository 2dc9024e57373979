"""The weights of rows, in the column that train.weight names, and of classes, by train.class_weight.

Only their ratios count: LightGBM's regularisation and its smallest leaves are set for a mean of 1.
"""

from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
import pyarrow as pa

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.contract.cells import INVALID, MISSING, Mask, Vector, float_vector, is_marker
from lightmodel.contract.columns import Contract, Role
from lightmodel.contract.hints import require_column
from lightmodel.contract.task import Task, label_name
from lightmodel.errors import ConfigError, ContractViolation, Violation
from lightmodel.tables.column_rules import violation_of
from lightmodel.tables.encode import to_numbers


def reject_other_uses(train: TrainSection, data: DataSection, split: SplitSection) -> None:
    """Check that the column of the weights is nothing else.

    Raises:
        ConfigError: another setting uses it.
    """
    columns = {
        "data.target": (data.target,),
        "data.id": (data.id,) if data.id != "auto" else (),
        "data.keep": data.keep,
        "data.text": data.text,
        "split.method": (split.method.partition(":")[2],),
    }
    used = [setting for setting, names in columns.items() if train.weight in names]
    if train.weight and used:
        raise ConfigError(
            f"train.weight = {train.weight!r}: the same column is named by {' and '.join(used)}",
            hint="weights have a column of their own, which is no feature; name another one",
        )


def read_weights(table: pa.Table, name: str, decimal: str) -> tuple[pa.Table, Vector]:
    """Return a table with the weights of its rows as numbers, and these.

    Raises:
        DataError: the table has no such column.
        ContractViolation: a cell of it is no weight.
    """
    require_column(table, name, "train.weight")
    weights = _numbers(table[name], decimal)
    if violations := _violations(name, weights):
        raise ContractViolation(violations, what="the table")
    at = table.column_names.index(name)
    return table.set_column(at, name, pa.chunked_array([pa.array(weights)])), weights


def _numbers(values: pa.ChunkedArray, decimal: str) -> Vector:
    """Return weights as float64; a cell that is no number is INVALID, and one without a value MISSING."""
    if pa.types.is_string(values.type):
        return to_numbers(values, (), decimal)
    if any(check(values.type) for check in (pa.types.is_boolean, pa.types.is_temporal)):
        return np.where(values.is_null().to_numpy(), MISSING, INVALID)
    return float_vector(values)


def _violations(name: str, weights: Vector) -> list[Violation]:
    rules: dict[str, tuple[Mask, str]] = {
        "type": (is_marker(weights, INVALID), "is not a number"),
        "missing": (is_marker(weights, MISSING), "has no value"),
        "infinite": (np.isinf(weights), "is infinite"),
        "negative": (weights < 0, "is negative"),
    }
    broken = [
        violation_of(name, rule, f"holds the weights of the rows, and {detail}", wrong)
        for rule, (wrong, detail) in rules.items()
        if wrong.any()
    ]
    if not broken and not weights.any():
        broken.append(Violation(name, "zero", "holds the weights of the rows, and is 0 in all"))
    return broken


def row_weights(table: pa.Table, contract: Contract, name: str) -> Vector | None:
    """Return (rows,) the weights of a split's rows, with a mean of 1; None if all count the same.

    Raises:
        ConfigError: the split was made without weights in this column.
    """
    if not name:
        return None
    aside = {column.name for column in contract.columns if column.role is Role.IGNORED}
    weights = _numbers(table[name], ".") if name in aside else np.zeros(1)
    if not ((weights > 0) & np.isfinite(weights)).all():
        raise ConfigError(
            f"this split was made without train.weight = {name!r}",
            hint="run preprocess with the same setting first, as `python run.py` does",
        )
    return _with_mean_1(weights)


def _with_mean_1(weights: Vector) -> Vector | None:
    """Return weights in the same ratios; None if all are equal."""
    if weights.min() == weights.max():
        return None
    scaled = weights / weights.max()
    mean_1: Vector = scaled / scaled.mean()
    return mean_1


def fitting_weights(
    weights: Vector | None, target: Vector, task: Task, section: TrainSection
) -> Vector | None:
    """Return (rows,) the weights of the training rows times those of their classes.

    Args:
        weights: from `row_weights`.
        target: (rows,) class codes.
        task: of the model.
        section: whose class_weight says what classes weigh.

    Raises:
        ConfigError: there are no classes, or none of such a name.
    """
    if section.class_weight == "none":
        return weights
    of_rows = np.ones(len(target)) if weights is None else weights
    return _with_mean_1(of_rows * _class_weights(of_rows, target, task, section))


def _class_weights(of_rows: Vector, target: Vector, task: Task, section: TrainSection) -> Vector:
    """Return (rows,) the weight of the class of each row."""
    if not task.kind.has_classes:
        raise ConfigError(
            "train.class_weight is for classes, but this task predicts a number",
            hint='set it to "none"; train.weight weighs single rows',
        )
    codes = target.astype(np.int64)
    if isinstance(section.class_weight, str):  # balanced
        of_classes = np.bincount(codes, of_rows, len(task.labels))
        balanced: Vector = of_rows.sum() / ((of_classes > 0).sum() * of_classes[codes])
        return balanced
    given = section.class_weight
    names = [label_name(label) for label in task.labels]
    _reject_unknown(given, names)
    return np.array([given.get(name, 1.0) for name in names])[codes]


def _reject_unknown(given: Iterable[str], names: list[str]) -> None:
    unknown = [name for name in given if name not in names]
    if not unknown:
        return
    near = get_close_matches(unknown[0], names, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"train.class_weight: there is no class {', '.join(map(repr, unknown))}{meant}",
        hint=f"the classes are {', '.join(names[:20])}{', …' if len(names) > 20 else ''}",
    )
