"""JSON schemas of rows, answers and errors, and the sample rows to try the service with."""

import math
from typing import Any

from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.describe import text_of
from lightmodel.contract.formats import plain_decimal
from lightmodel.contract.publication import Published
from lightmodel.contract.task import TaskKind
from lightmodel.scoring.answer_writers import csv_lines, csv_value
from lightmodel.scoring.predictor import LoadedModel, label_names

Json = dict[str, Any]

_JSON_FORMATS: dict[ColumnType, Json] = {
    ColumnType.DATE: {"format": "date"},
    ColumnType.DATETIME: {"format": "date-time"},
    ColumnType.TIME: {},
    ColumnType.DURATION: {},
}
_MAX_CATEGORIES = 20  # named in the description of a column


def schema_of(model: LoadedModel) -> Json:
    """Return the content of `GET /schema`: the columns in training order, and the answer."""
    contract = model.contract
    return {
        "version": model.version,
        "columns": [_column(column, model.published) for column in _request_columns(contract)],
        "on_missing": model.config.serve.on_missing,
        "on_out_of_range": model.config.serve.on_out_of_range,
        "answer": {
            "task": str(contract.task.kind),
            "labels": list(contract.task.labels),
            "positive": contract.task.positive,
            "threshold": model.manifest.threshold,
            "target": contract.target.name,
            "explain": len(model.predictor.feature_names) if model.predictor.contribute else 0,
        },
        "max_body_mb": model.config.serve.max_body_mb,
    }


def _request_columns(contract: Contract) -> list[Column]:
    return [column for column in contract.columns if column.role in {Role.FEATURE, Role.ID}]


def _column(column: Column, published: Published) -> Json:
    described: Json = {
        "name": column.name,
        "role": str(column.role),
        "type": str(column.type),
        "required": column.role is Role.FEATURE,
        "may_be_missing": column.missing or column.role is Role.ID,
    }
    if column.type.is_temporal and column.role is Role.FEATURE:
        described["seen"] = _seen_times(column)
        if column.format:
            described["format"] = column.format
    elif column.type.is_numeric and column.role is Role.FEATURE:
        described["seen"] = {"minimum": column.minimum, "maximum": column.maximum}
        if limits := _limits(column):
            described["allowed"] = limits
    if column.categories:
        described["categories"] = list(published.categories(column))
        described["categories_withheld"] = published.withheld(column)
    return described


def _seen_times(column: Column) -> Json:
    low, high = column.minimum, column.maximum
    if low is None or high is None:
        return {"minimum": None, "maximum": None}
    return {"minimum": text_of(low, column), "maximum": text_of(high, column)}


def _limits(column: Column) -> Json:
    low, high = column.allowed
    is_limited = math.isfinite(low) and math.isfinite(high)
    return {"minimum": low, "maximum": high} if is_limited else {}


def row_schema(model: LoadedModel) -> Json:
    """Return the JSON schema of one row: every feature is required, other columns are ignored."""
    contract = model.contract
    return {
        "type": "object",
        "required": list(contract.feature_names),
        "properties": {column.name: _value(column, model) for column in _request_columns(contract)},
        "additionalProperties": True,
    }


def _value(column: Column, model: LoadedModel) -> Json:
    if column.role is Role.ID:
        kind = "integer" if column.type is ColumnType.INTEGER else "string"
        return {"type": kind, "description": "returned unchanged"}
    tolerated = model.rules.tolerated
    nullable = {"nullable": column.missing or "missing" in tolerated}
    if column.type is ColumnType.CATEGORY:
        return nullable | {"type": "string", "description": _seen(column, model.published)}
    if column.type is ColumnType.TEXT:
        return nullable | {"type": "string", "description": "free text"}
    if column.type is ColumnType.BOOLEAN:
        return nullable | {"type": "boolean"}
    if column.type.is_temporal:
        times = _seen_times(column)
        text = f"seen in training: {times['minimum']} to {times['maximum']}"
        return nullable | {"type": "string", "description": text} | _JSON_FORMATS[column.type]
    text = f"seen in training: {column.minimum} to {column.maximum}"
    limits = {} if "range" in tolerated else _limits(column)
    return nullable | {"type": "number", "description": text} | limits


def _seen(column: Column, published: Published) -> str:
    """Return a category column's description: the first of its published categories."""
    known = published.categories(column)
    shown = ", ".join(known[:_MAX_CATEGORIES])
    shown += ", …" if len(known) > _MAX_CATEGORIES else ""
    if withheld := published.withheld(column):
        shown += f"{' and ' if shown else ''}{withheld:,} that are not published"
    return f"seen in training: {shown}; any other value is scored as missing"


def object_schema(properties: Json) -> Json:
    """Return the JSON schema of an object with these properties, all of them required."""
    return {"type": "object", "required": [*properties], "properties": properties}


def answer_schema(contract: Contract) -> Json:
    """Return the JSON schema of the answer to one row."""
    task = contract.task
    values = {"enum": list(task.labels)} if task.kind.has_classes else {"type": "number"}
    properties: Json = {"prediction": {"description": contract.target.name, **values}}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    if task.kind is TaskKind.BINARY:
        properties["probability"] = {**share, "description": f"the probability of {task.positive}"}
    if task.kind is TaskKind.MULTICLASS:
        properties["probability"] = object_schema(dict.fromkeys(label_names(contract), share))
    if contract.id:
        properties[contract.id.name] = {"description": "the row's id, unchanged", "nullable": True}
    part = object_schema({"feature": {"type": "string"}, "value": {"type": "number"}})
    properties["contributions"] = {"type": "array", "items": part}
    properties["base_value"] = {
        "type": "number",
        "description": "the raw score less all contributions",
    }
    required = ["prediction"] + (["probability"] if task.kind.has_classes else [])
    return {"type": "object", "required": required, "properties": properties}


def problem_schema() -> Json:
    """Return the JSON schema of an error (RFC 9457)."""
    text, number = {"type": "string"}, {"type": "integer"}
    violation = {
        **dict.fromkeys(("column", "rule", "detail"), text),
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


def sample_records(model: LoadedModel) -> list[Json]:
    """Return the model's published sample rows as the records of a request."""
    return [dict(sample["values"]) for sample in model.samples]


def sample_scores(model: LoadedModel) -> list[Any]:
    """Return the scores of the sample rows: probabilities, {label: p}, or numbers."""
    scores = [list(sample["score"]) for sample in model.samples]
    if model.contract.task.kind is TaskKind.MULTICLASS:
        names = label_names(model.contract)
        return [dict(zip(names, score, strict=True)) for score in scores]
    return [score[0] for score in scores]


def csv_of(records: list[Json], contract: Contract) -> bytes:
    """Return records as CSV with a header, in the dialect of the training table.

    A missing value is an empty cell, so a table delimited by blanks is written with commas.
    """
    dialect = contract.dialect or Dialect()
    marks = (dialect.delimiter, dialect.quote, dialect.decimal or ".")
    delimiter, quote, decimal = (",", '"', ".") if dialect.delimiter in {"", " "} else marks
    marks_of = {column.name: plain_decimal(column, decimal) for column in contract.columns}
    rows = [
        [_cell(value, marks_of.get(name, decimal)) for name, value in record.items()]
        for record in records
    ]
    return csv_lines([list(records[0]), *rows], delimiter, quote)


def _cell(value: object, decimal: str) -> object:
    return repr(value).replace(".", decimal) if isinstance(value, float) else csv_value(value)
