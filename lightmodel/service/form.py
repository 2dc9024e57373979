"""The form for one row, built from the contract: one control per feature, and what its scripts need."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lightmodel.contract.columns import Column, ColumnType
from lightmodel.contract.describe import text_of
from lightmodel.contract.publication import Published
from lightmodel.contract.task import label_name
from lightmodel.scoring.predictor import LoadedModel

_MAX_OPTIONS = 50  # of a menu; more categories get an input with suggestions
_MAX_CONTRIBUTIONS = 5

Kind = Literal["number", "choice", "suggestions", "time"]
_INPUTS = {
    ColumnType.DATE: "date",
    ColumnType.DATETIME: "datetime-local",
    ColumnType.TIME: "time",
    ColumnType.DURATION: "text",
}


@dataclass(frozen=True)
class Field:
    """One control of the form.

    Attributes:
        name: the column's name: any text that a CSV's header can hold.
        required: whether it must not be left empty.
        step: the step of a number: "1" or "any".
        lowest: the smallest allowed number; "" without a limit.
        highest: the largest allowed number; "" without a limit.
        choices: the values of a category or a boolean, as requests have them.
        hint: the range or the number of values in the training data, in words.
        input: HTML's type of the input of a date or a time.
    """

    name: str
    kind: Kind
    required: bool
    hint: str
    step: str = "any"
    lowest: str = ""
    highest: str = ""
    choices: tuple[str, ...] = ()
    input: str = "text"


def fields_of(model: LoadedModel) -> tuple[Field, ...]:
    """Return one control per feature, in training order."""
    shown, tolerated = model.published, model.rules.tolerated
    return tuple(field_of(column, shown, tolerated) for column in model.contract.features)


def field_of(column: Column, published: Published, tolerated: Collection[str]) -> Field:
    """Return the control of a feature; a tolerated rule limits nothing."""
    required = not column.missing and "missing" not in tolerated
    withheld = published.withheld(column)
    hint = _hint(column, withheld)
    if column.type.is_numeric:
        limits = (math.nan, math.nan) if "range" in tolerated else column.allowed
        lowest, highest = (_limit(value) for value in limits)
        step = "1" if column.type is ColumnType.INTEGER else "any"
        return Field(column.name, "number", required, hint, step, lowest, highest)
    if column.type.is_temporal:
        return Field(column.name, "time", required, hint, input=_INPUTS[column.type])
    if column.type is ColumnType.TEXT:
        return Field(column.name, "suggestions", required, hint)
    is_boolean = column.type is ColumnType.BOOLEAN
    choices = ("true", "false") if is_boolean else published.categories(column)
    kind: Kind = "suggestions" if withheld or len(choices) > _MAX_OPTIONS else "choice"
    return Field(column.name, kind, required, hint, choices=choices)


def _limit(value: float) -> str:
    return f"{value:.17g}" if math.isfinite(value) else ""


def _hint(column: Column, withheld: int) -> str:
    parts = []
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"seen {_shown(column.minimum, column)} to {_shown(column.maximum, column)}")
    if withheld or len(column.categories) > _MAX_OPTIONS:
        parts.append(f"{len(column.categories):,} values seen")
    if withheld:
        parts.append(f"{withheld:,} of them not shown: they are rare, or may name persons")
    if column.missing:
        parts.append("may be empty")
    return ", ".join(parts)


def _shown(value: float, column: Column) -> str:
    """Return a value for display, a number with six significant digits."""
    text = text_of(value, column)
    return text if column.type.is_date else text.replace("-", "\N{MINUS SIGN}")


def facts_of(model: LoadedModel) -> dict[str, Any]:
    """Return the facts about the model that the page's scripts need, in JSON's types."""
    contract = model.contract
    task, target, id_column = contract.task, contract.target, contract.id
    names = contract.feature_names
    count = len(model.predictor.feature_names)
    explain = min(_MAX_CONTRIBUTIONS, count) if model.predictor.contribute else 0
    return {
        "version": model.version,
        "task": str(task.kind),
        "labels": [label_name(label) for label in task.labels],
        "threshold": _threshold(model),
        "target": target.name,
        "range": None if target.minimum is None else [target.minimum, target.maximum],
        "id": id_column.name if id_column else None,
        "explain": explain,
        "names": names,
        "numeric": [column.type.is_numeric for column in contract.features],
        "samples": _samples(model),
    }


def _threshold(model: LoadedModel) -> float | None:
    if model.contract.task.positive is None:
        return None
    return 0.5 if model.predictor.threshold is None else model.predictor.threshold


def _samples(model: LoadedModel) -> list[dict[str, Any]]:
    """Return the sample rows for the form: the `values` of the features in order, and the `id`."""
    id_column = model.contract.id
    return [
        {
            "values": [_text(sample["values"], name) for name in model.contract.feature_names],
            "id": _text(sample["values"], id_column.name) if id_column else "",
        }
        for sample in model.samples
    ]


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else label_name(value)
