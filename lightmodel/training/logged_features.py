"""Read features back from the prediction log, whose JSON values `tables.row_rules.json_features` writes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lightmodel.contract.cells import MISSING, UNSEEN, Vector
from lightmodel.contract.columns import Column, ColumnType
from lightmodel.contract.dates import parse_seconds
from lightmodel.training.reference import BOOLEANS, names_of

Parser = Callable[[Sequence[Any]], Vector]


def parser_of(column: Column) -> Parser:
    """Return a function from a feature's JSON values to numbers, or codes in the order of `names_of`."""
    names = names_of(column)
    if names is not None:
        values: Iterable[Any] = (False, True) if names is BOOLEANS else names
        codes = {value: float(code) for code, value in enumerate(values)}
        return lambda cells: np.array([_code(cell, codes) for cell in cells], np.float64)
    if column.type.is_temporal:
        kind = ColumnType.DATETIME if column.type.is_date else column.type
        return lambda cells: parse_seconds([str(cell or "") for cell in cells], kind)
    return numbers_of


def _code(cell: object, codes: Mapping[Any, float]) -> float:
    if cell is None:
        return float(MISSING)
    return codes.get(cell, float(UNSEEN)) if isinstance(cell, str | bool) else float(UNSEEN)


def numbers_of(cells: Sequence[Any]) -> Vector:
    """Return JSON numbers; NaN for anything else."""
    try:
        return np.array(cells, np.float64)
    except (TypeError, ValueError):
        kinds = (int, float)
        return np.array([cell if isinstance(cell, kinds) else np.nan for cell in cells], np.float64)
