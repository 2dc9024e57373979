"""Infer what a contract says about one column: its type, range or categories."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import EXACT, distinct_categories
from lightmodel.contract.columns import Column, ColumnType, Role
from lightmodel.contract.dates import DAY, NO_TIME, to_seconds
from lightmodel.contract.formats import time_format
from lightmodel.contract.free_text import is_free_text
from lightmodel.contract.time_arrays import is_kind, micros_of
from lightmodel.errors import DataError

MAX_CATEGORIES = 1_000
_FEW_ROWS = 20  # in which all texts may differ by chance


def infer_column(
    name: str, role: Role, values: pa.ChunkedArray, decimal: str, warnings: list[str]
) -> Column:
    """Infer a column of a contract from its values.

    Args:
        name: of the column.
        role: only a feature gets categories.
        values: of one of Arrow's plain types; a missing one is null.
        decimal: the decimal mark of the table's numbers.
        warnings: gets one about values that a model cannot use well.

    Raises:
        DataError: the target holds integers that float64 rounds.
    """
    kind = column_type(values.type)
    missing = values.null_count > 0
    if kind.is_numeric:
        column = _numeric(name, role, kind, values)
        _check_size(column, warnings)
        return column
    if kind.is_temporal and role is Role.FEATURE:
        return _temporal(name, kind, values)
    if kind.is_temporal and role is not Role.TARGET:
        if kind.is_date and not pa.types.is_date(values.type):
            kind = ColumnType.DATETIME
        return Column(name, role, kind, missing, format=time_format(kind))
    if kind is not ColumnType.CATEGORY or role is not Role.FEATURE:
        return Column(name, role, kind, missing)
    return _category(name, values, decimal, warnings)


def _check_size(column: Column, warnings: list[str]) -> None:
    """Warn about integers that float64 rounds, and refuse them in the target.

    Raises:
        DataError: the target holds such integers.
    """
    largest = max(abs(column.minimum or 0), abs(column.maximum or 0))
    if column.type is not ColumnType.INTEGER or largest < EXACT:
        return
    what = (
        f"column {column.name!r} holds whole numbers beyond 2^53, which a model cannot tell apart"
    )
    if column.role is Role.TARGET:
        raise DataError(f"{what}, and is the target", hint="is it an id? Write labels as text")
    if column.role is Role.FEATURE:
        warnings.append(f"{what}: they are rounded; if it is an id, set data.id or data.ignore")


def _numeric(name: str, role: Role, kind: ColumnType, values: pa.ChunkedArray) -> Column:
    finite = values
    missing = values.null_count > 0
    if kind is ColumnType.NUMBER:
        missing = missing or pc.any(pc.is_nan(values)).as_py() is True
        if not pa.types.is_null(values.type):
            finite = values.filter(pc.is_finite(values))
    extremes = pc.min_max(finite).as_py()
    low, high = extremes["min"], extremes["max"]
    known = low is not None and role is not Role.ID
    return Column(
        name, role, kind, missing, float(low) if known else None, float(high) if known else None
    )


def _temporal(name: str, kind: ColumnType, values: pa.ChunkedArray) -> Column:
    micros = micros_of(values)
    known = micros[micros != NO_TIME]
    if kind.is_date:
        kind = ColumnType.DATETIME if (known % DAY).any() else ColumnType.DATE
    extremes = to_seconds(np.array([known.min(), known.max()])).tolist() if len(known) else ()
    low, high = extremes or (None, None)
    missing, written = len(known) < len(values), time_format(kind)
    return Column(name, Role.FEATURE, kind, missing, low, high, format=written)


def _category(name: str, values: pa.ChunkedArray, decimal: str, warnings: list[str]) -> Column:
    distinct = values.drop_null().unique()
    missing, present = values.null_count > 0, len(values) - values.null_count
    if is_free_text(distinct, present):
        return Column(name, Role.FEATURE, ColumnType.TEXT, missing)
    if len(distinct) > MAX_CATEGORIES and len(distinct) > 0.2 * len(values):
        warnings.append(
            f"column {name!r} has {len(distinct):,} distinct texts in {len(values):,} rows and is "
            f"ignored: {_if_id(name)}; to learn from parts of its texts, add it to data.text"
        )
        return Column(name, Role.IGNORED, ColumnType.CATEGORY, missing)
    if present > _FEW_ROWS and len(distinct) > 0.5 * present:
        warnings.append(
            f"column {name!r} has {len(distinct):,} distinct texts in {present:,} cells, from which "
            f"{'little' if len(distinct) < present else 'nothing'} can be learnt: {_if_id(name)}, "
            "else add it to data.ignore"
        )
    categories = distinct_categories(distinct.to_pylist(), decimal)
    return Column(name, Role.FEATURE, ColumnType.CATEGORY, missing, categories=categories)


def _if_id(name: str) -> str:
    return f"if it identifies the rows, set data.id = {json.dumps(name, ensure_ascii=False)}"


def column_type(arrow: pa.DataType) -> ColumnType:
    """Return the contract's type for one of Arrow's plain types."""
    if pa.types.is_integer(arrow):
        return ColumnType.INTEGER
    if pa.types.is_floating(arrow) or pa.types.is_null(arrow):
        return ColumnType.NUMBER
    if pa.types.is_boolean(arrow):
        return ColumnType.BOOLEAN
    for kind in (ColumnType.DATE, ColumnType.TIME, ColumnType.DURATION):
        if is_kind(arrow, kind):
            return kind
    return ColumnType.CATEGORY
