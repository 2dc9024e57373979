"""The columns that a request must have, what is answered, and rows to try it with."""

import csv
import io
import math
from typing import Any

from lightmodel.contract.columns import Column, ColumnType, Role
from lightmodel.contract.task import TaskKind
from lightmodel.scoring.loaded_model import Served
from lightmodel.scoring.predictor import label_names


def schema_of(served: Served) -> dict[str, Any]:
    """Give `GET /schema`: columns in training order, and the shape of an answer."""
    contract = served.contract
    wanted = [column for column in contract.columns if column.role in {Role.FEATURE, Role.ID}]
    return {
        "version": served.version,
        "columns": [_column(column) for column in wanted],
        "answer": {
            "task": str(contract.task.kind),
            "labels": list(contract.task.labels),
            "threshold": served.manifest.threshold,
            "target": contract.target.name,
        },
    }


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": column.name,
        "role": str(column.role),
        "type": str(column.type),
        "required": column.role is Role.FEATURE,
        "may_be_missing": column.missing or column.role is Role.ID,
    }
    if column.type.is_numeric and column.role is Role.FEATURE:
        low, high = column.allowed
        found["seen"] = {"minimum": column.minimum, "maximum": column.maximum}
        if math.isfinite(low) and math.isfinite(high):
            found["allowed"] = {"minimum": low, "maximum": high}
    if column.categories:
        found["categories"] = list(column.categories)
    return found


def sample_records(served: Served) -> list[dict[str, Any]]:
    """Give the model's stored sample rows as a request would carry them, each with a made-up id."""
    own_id = served.contract.id
    return [
        {**({own_id.name: _id(own_id, number)} if own_id else {}), **dict(sample["values"])}
        for number, sample in enumerate(served.manifest.samples, start=1)
    ]


def _id(column: Column, number: int) -> int | str:
    return number if column.type is ColumnType.INTEGER else f"sample-{number}"


def sample_scores(served: Served) -> list[Any]:
    """Give what is answered to them: probabilities, {label: p}, or numbers."""
    scores = [list(sample["score"]) for sample in served.manifest.samples]
    if served.contract.task.kind is TaskKind.MULTICLASS:
        names = label_names(served.contract)
        return [dict(zip(names, score, strict=True)) for score in scores]
    return [score[0] for score in scores]


def sample_csv(served: Served) -> bytes:
    """Give `GET /sample.csv`: it posts back with 200, and is answered with the stored scores."""
    return csv_of(sample_records(served))


def csv_of(records: list[dict[str, Any]]) -> bytes:
    """Write records as CSV; a missing value is an empty cell."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(records[0])
    rows.writerows([[_cell(value) for value in record.values()] for record in records])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value
