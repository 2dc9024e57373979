"""Read the cells of JSON records as numbers: a value of JSON, or a text as in a CSV."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TypeGuard

from lightmodel.contract.cells import (
    INT64_END,
    INVALID,
    MISSING,
    number_as_boolean,
    parse_boolean,
    parse_number,
)
from lightmodel.contract.formats import TextParser

Read = Callable[[object, frozenset[str]], float]  # of a cell, and texts that mean a missing value
NUMBER_TYPES = {int, float}
_TEXTS = str, dt.date, dt.time, dt.timedelta  # the latter in the tables that MLflow passes on


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def lost_digits(values: Sequence[object]) -> bool:
    """Return whether an integer may have been read as a float because it is too long."""
    if float not in set(map(type, values)):
        return False
    return any(isinstance(value, float) and abs(value) >= INT64_END for value in values)


def to_number(value: object, missing: frozenset[str]) -> float:
    """Return a number, or the one that a text holds; MISSING or INVALID for others."""
    if is_number(value):
        return _to_float(value)
    if value is None:
        return float(MISSING)
    return parse_number(value, missing) if isinstance(value, str) else float(INVALID)


def _to_float(value: float) -> float:
    """Return a number as a float; an integer beyond its range is infinite."""
    try:
        return float(value)
    except OverflowError:
        return float(str(value))


def to_none(value: object, _: frozenset[str]) -> float:
    """Return what no value, or one that is not a text, means where only a text has a meaning."""
    return float(MISSING if value is None else INVALID)


def known_texts(cells: Sequence[object], parse: TextParser, other: Read) -> Read:
    """Return a function from each of the cells to its number; texts among them are parsed at once."""
    texts = {cell: str(cell).strip() for cell in cells if isinstance(cell, _TEXTS)}
    known = dict(zip(texts, parse(list(texts.values())).tolist(), strict=True))

    def read(value: object, missing: frozenset[str]) -> float:
        return known[value] if isinstance(value, _TEXTS) else other(value, missing)

    return read


def to_boolean(value: object, missing: frozenset[str]) -> float:
    """Return 1.0 or 0.0 for true, false, 1 and 0, or a text of these; MISSING or INVALID for others."""
    if value is None:
        return float(MISSING)
    if isinstance(value, int | float):
        return number_as_boolean(_to_float(value))
    return parse_boolean(value, missing) if isinstance(value, str) else float(INVALID)
