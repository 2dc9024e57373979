"""What stands for a missing value in a column that had none in training.

LightGBM would take such a value for 0, which may be far from every training row.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lightmodel.contract.cells import Matrix, Vector
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.publication import TEXTS


def imputed_values(contract: Contract, profile: Mapping[str, Any]) -> Vector:
    """Return (features,) values to impute: the median of training, of booleans the more frequent value.

    NaN stands for a column whose missing values the model knows, and for texts: a missing category is
    scored like one that was never seen. Without a profile it is the middle of the range.

    Args:
        contract: of the model.
        profile: `columns` of the profile of its training table, in JSON's types.
    """
    values = [_imputed(column, profile.get(column.name) or {}) for column in contract.features]
    return np.array(values, np.float64)


def impute(features: Matrix, values: Vector) -> Matrix:
    """Return a copy of features in which missing values are replaced by those of `imputed_values`.

    Columns beyond those of the contract stay as they are.
    """
    imputed = features.copy()
    own = imputed[:, : len(values)]
    np.copyto(own, values, where=np.isnan(own))
    return imputed


def _imputed(column: Column, profile: Mapping[str, Any]) -> float:
    if column.missing or column.type in TEXTS:
        return float("nan")
    if column.type is ColumnType.BOOLEAN:
        counts = profile.get("counts") or {}
        return float(counts.get("true", 0) > counts.get("false", 0))
    grid, shares = profile.get("grid") or (), profile.get("shares") or ()
    if grid:
        return float(grid[int(np.searchsorted(shares, 0.5))])
    if column.minimum is None or column.maximum is None:
        return float("nan")
    return column.minimum / 2 + column.maximum / 2
