"""Rows, answers and errors as JSON schemas."""

import math
from typing import Any

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import TaskKind
from lightmodel.scoring.predictor import label_names

Json = dict[str, Any]


def row_schema(contract: Contract) -> Json:
    """Describe one row: every feature is required, further columns are ignored."""
    columns = [column for column in contract.columns if column.role in {Role.FEATURE, Role.ID}]
    return {
        "type": "object",
        "required": list(contract.feature_names),
        "properties": {column.name: _value(column) for column in columns},
        "additionalProperties": True,
    }


def _value(column: Column) -> Json:
    if column.role is Role.ID:
        kind = "integer" if column.type is ColumnType.INTEGER else "string"
        return {"type": kind, "description": "comes back as it is"}
    about: Json = {"nullable": column.missing}
    if column.type is ColumnType.CATEGORY:
        seen = ", ".join(column.categories[:20]) + (", …" if len(column.categories) > 20 else "")
        about |= {"type": "string", "description": f"seen: {seen}; any other is scored as missing"}
    elif column.type is ColumnType.BOOLEAN:
        about |= {"type": "boolean"}
    else:
        low, high = column.allowed
        about |= {"type": "number", "description": f"seen: {column.minimum} to {column.maximum}"}
        if math.isfinite(low) and math.isfinite(high):
            about |= {"minimum": low, "maximum": high}
    return about


def answer_schema(contract: Contract) -> Json:
    """Describe the answer to one row."""
    task = contract.task
    properties: Json = {"prediction": {"description": f"of {contract.target.name}"}}
    if task.kind is TaskKind.REGRESSION:
        properties["prediction"]["type"] = "number"
    else:
        properties["prediction"]["enum"] = list(task.labels)
    share = {"type": "number", "minimum": 0, "maximum": 1}
    if task.kind is TaskKind.BINARY:
        properties["probability"] = {**share, "description": f"of {task.positive}"}
    if task.kind is TaskKind.MULTICLASS:
        names = dict.fromkeys(label_names(contract), share)
        properties["probability"] = {"type": "object", "properties": names, "required": [*names]}
    if contract.id:
        properties[contract.id.name] = {"description": "as it came", "nullable": True}
    part = {"feature": {"type": "string"}, "value": {"type": "number"}}
    properties["contributions"] = {
        "type": "array",
        "items": {"type": "object", "properties": part, "required": [*part]},
    }
    required = ["prediction"] + (["probability"] if task.kind.has_classes else [])
    return {"type": "object", "required": required, "properties": properties}


def problem_schema() -> Json:
    """Describe an error (RFC 9457)."""
    text, number = {"type": "string"}, {"type": "integer"}
    violation = {
        "column": text,
        "rule": text,
        "detail": text,
        "rows": {"type": "array", "items": number},
        "total": number,
    }
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            **dict.fromkeys(("type", "title", "detail", "hint", "request_id"), text),
            "status": number,
            "violations": {"type": "array", "items": {"type": "object", "properties": violation}},
        },
    }
