"""The form for one row: what the contract says of each feature, as controls."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.task import label_name
from lightmodel.scoring.predictor import LoadedModel

_LONGEST_SELECT = 50  # beyond it a list of suggestions beats a menu
_MOST_CONTRIBUTIONS = 5

Kind = Literal["number", "choice", "suggestions"]


@dataclass(frozen=True)
class Field:
    """One control.

    Attributes:
        name: of the column, as it came: anything that a CSV's header can hold.
        required: whether it must not be left empty.
        step: of a number: "1" or "any".
        lowest: the smallest number that passes; "" without a limit.
        highest: the largest one.
        choices: of a category or a boolean, as a request names them.
        hint: what training saw, in words.
    """

    name: str
    kind: Kind
    required: bool
    hint: str
    step: str = "any"
    lowest: str = ""
    highest: str = ""
    choices: tuple[str, ...] = ()


def fields_of(contract: Contract) -> tuple[Field, ...]:
    """Return a control for each feature, in training order."""
    return tuple(_field(column) for column in contract.features)


def _field(column: Column) -> Field:
    required = not column.missing
    if column.type.is_numeric:
        lowest, highest = (_limit(value) for value in column.allowed)
        step = "1" if column.type is ColumnType.INTEGER else "any"
        return Field(column.name, "number", required, _hint(column), step, lowest, highest)
    choices = ("true", "false") if column.type is ColumnType.BOOLEAN else column.categories
    kind: Kind = "choice" if len(choices) <= _LONGEST_SELECT else "suggestions"
    return Field(column.name, kind, required, _hint(column), choices=choices)


def _limit(value: float) -> str:
    return f"{value:.17g}" if math.isfinite(value) else ""


def _hint(column: Column) -> str:
    parts = []
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"seen {_number(column.minimum)} to {_number(column.maximum)}")
    if len(column.categories) > _LONGEST_SELECT:
        parts.append(f"{len(column.categories):,} values seen")
    if column.missing:
        parts.append("may be empty")
    return ", ".join(parts)


def _number(number: float) -> str:
    """Return a number for reading, with as many digits as tell something."""
    return f"{number:.6g}".replace("-", "\N{MINUS SIGN}")


def facts_of(model: LoadedModel) -> dict[str, Any]:
    """Return what the page's scripts need to know of the model, in JSON's types."""
    contract = model.contract
    task, target, id_column = contract.task, contract.target, contract.id
    names = contract.feature_names
    explain = min(_MOST_CONTRIBUTIONS, len(names)) if model.predictor.contribute else 0
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
    """Return the stored rows as a form shows them: `values` of the features in order, and the `id`."""
    id_column = model.contract.id
    return [
        {
            "values": [_text(sample["values"], name) for name in model.contract.feature_names],
            "id": _text(sample["values"], id_column.name) if id_column else "",
        }
        for sample in model.manifest.samples
    ]


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else label_name(value)
