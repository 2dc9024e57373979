"""One row in a form: the fields of the contract, and the texts of a form as the values of a request."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightmodel.console.formatting import label_text, number
from lightmodel.console.service_client import ColumnInfo, Schema

MAX_MENU = 500  # categories that a menu offers
_NUMBERS = {"number", "integer"}


@dataclass(frozen=True)
class Field:
    """One field of the form.

    Attributes:
        choices: the values that its menu offers; empty for a field of text.
        is_closed: whether there are no other values.
    """

    name: str
    is_number: bool
    is_required: bool
    hint: str
    choices: tuple[str, ...] = ()
    is_closed: bool = False


def fields_of(schema: Schema) -> tuple[Field, ...]:
    """Return a field for each feature, in training order."""
    return tuple(_field(column, schema) for column in schema.features)


def _field(column: ColumnInfo, schema: Schema) -> Field:
    required = not column.may_be_missing and schema.on_missing == "refuse"
    choices: tuple[str, ...] = ()
    if column.type == "boolean":
        choices = ("true", "false")
    elif len(column.categories) <= MAX_MENU:
        choices = tuple(map(label_text, column.categories))
    closed = column.type == "boolean"
    return Field(column.name, column.type in _NUMBERS, required, _hint(column), choices, closed)


def _hint(column: ColumnInfo) -> str:
    parts = []
    if column.seen and column.seen.minimum is not None and column.seen.maximum is not None:
        low, high = map(_shown, (column.seen.minimum, column.seen.maximum))
        parts.append(f"seen {low} to {high}")
    if len(column.categories) > MAX_MENU:
        parts.append(f"{len(column.categories):,} values seen")
    if column.categories_withheld:
        parts.append(
            f"{column.categories_withheld:,} values not shown: they are rare, or may name persons"
        )
    if column.may_be_missing:
        parts.append("may be empty")
    return ", ".join(parts)


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else number(value)


def matching(fields: tuple[Field, ...], search: str) -> tuple[Field, ...]:
    """Return the fields whose name contains a text, whatever its case."""
    wanted = search.strip().lower()
    return tuple(field for field in fields if wanted in field.name.lower())


def texts_of(sample: Mapping[str, Any], fields: tuple[Field, ...]) -> dict[str, str]:
    """Return the texts that fill the form with a sample row."""
    return {field.name: _text(sample.get(field.name)) for field in fields}


def _text(value: object) -> str:
    return "" if value is None else label_text(value)


def record_of(
    texts: Mapping[str, str], fields: tuple[Field, ...]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the row that a form holds, and the mistakes by field; a row with mistakes is not sent."""
    record: dict[str, Any] = {}
    mistakes: dict[str, str] = {}
    for field in fields:
        text = texts.get(field.name, "").strip()
        record[field.name] = _value(text, field)
        if text and field.is_number and record[field.name] is None:
            mistakes[field.name] = "write a number, such as 12 or 0.5"
        elif not text and field.is_required:
            mistakes[field.name] = "must not be empty"
    return record, mistakes


def _value(text: str, field: Field) -> object:
    if not text:
        return None
    if field.is_number:
        return _number(text)
    return text == "true" if field.is_closed else text


def _number(text: str) -> int | float | None:
    """Return the number that a text holds; None if it holds none."""
    plain = text.replace("\N{MINUS SIGN}", "-")
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
