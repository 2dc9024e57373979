"""The form for one row: what the contract says of each feature, as controls."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.task import label_name
from lightmodel.scoring.loaded_model import Served

LONGEST_SELECT = 50  # beyond it a list of suggestions beats a menu
_EXPLAINED = 5

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
    """Give a control for each feature, in training order."""
    return tuple(_field(column) for column in contract.features)


def _field(column: Column) -> Field:
    required = not column.missing
    if column.type.is_numeric:
        lowest, highest = (_limit(value) for value in column.allowed)
        step = "1" if column.type is ColumnType.INTEGER else "any"
        return Field(column.name, "number", required, _hint(column), step, lowest, highest)
    choices = ("true", "false") if column.type is ColumnType.BOOLEAN else column.categories
    kind: Kind = "choice" if len(choices) <= LONGEST_SELECT else "suggestions"
    return Field(column.name, kind, required, _hint(column), choices=choices)


def _limit(value: float) -> str:
    return f"{value:.17g}" if math.isfinite(value) else ""


def _hint(column: Column) -> str:
    parts = []
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"seen {plain(column.minimum)} to {plain(column.maximum)}")
    if len(column.categories) > LONGEST_SELECT:
        parts.append(f"{len(column.categories):,} values seen")
    if column.missing:
        parts.append("may be empty")
    return ", ".join(parts)


def plain(number: float) -> str:
    """Write a number for reading, with as many digits as tell something."""
    return f"{number:.6g}".replace("-", "\N{MINUS SIGN}")


def facts_of(served: Served) -> dict[str, Any]:
    """Give what the page's scripts need to know of the model, in JSON's types."""
    contract = served.contract
    task, target, own_id = contract.task, contract.target, contract.id
    names = contract.feature_names
    explained = min(_EXPLAINED, len(names)) if served.predictor.contribute else 0
    return {
        "version": served.version,
        "task": str(task.kind),
        "labels": [label_name(label) for label in task.labels],
        "threshold": _threshold(served),
        "target": target.name,
        "range": None if target.minimum is None else [target.minimum, target.maximum],
        "id": own_id.name if own_id else None,
        "explain": explained,
        "names": names,
        "numeric": [column.type.is_numeric for column in contract.features],
        "samples": samples_of(served),
    }


def _threshold(served: Served) -> float | None:
    if served.contract.task.positive is None:
        return None
    return 0.5 if served.predictor.threshold is None else served.predictor.threshold


def samples_of(served: Served) -> list[dict[str, Any]]:
    """Give the stored rows as a form holds them: `values` of the features in order, and the `id`."""
    own_id = served.contract.id
    return [
        {
            "values": [_text(sample["values"], name) for name in served.contract.feature_names],
            "id": _text(sample["values"], own_id.name) if own_id else "",
        }
        for sample in served.manifest.samples
    ]


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
