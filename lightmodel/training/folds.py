"""Assign the training rows to the folds of a cross-validation."""

import numpy as np
import pyarrow as pa

from lightmodel.config import SplitSection, TrainSection
from lightmodel.contract.columns import Contract
from lightmodel.errors import DataError
from lightmodel.learners.base import Folds
from lightmodel.tables.encode import target_vector
from lightmodel.training.split import Method, fold_numbers, row_keys, time_blocks, uniform_draws

_FOLDS = 1  # a separate purpose of `uniform_draws`: folds must be independent of the split


def assign_folds(
    table: pa.Table, contract: Contract, section: TrainSection, split: SplitSection
) -> Folds:
    """Return the folds of the training rows, cut by the method of the split.

    Raises:
        DataError: the rows do not fill two folds.
    """
    method = Method.parse(split.method, has_classes=contract.task.kind.has_classes)
    if method.kind == "time":
        numbers = time_blocks(table[method.column], section.folds)
    else:
        classes = None
        if method.kind == "stratified" and contract.task.kind.has_classes:
            classes = target_vector(table[contract.target.name], contract.task)
        draws = uniform_draws(row_keys(table, contract, method), section.seed, _FOLDS)
        numbers = fold_numbers(draws, section.folds, classes)
    used = np.unique(numbers[numbers >= 0])
    if len(used) < 2:
        raise DataError(
            "the training rows do not fill two folds",
            hint="use more rows, or another split.method",
        )
    without_empty = np.where(numbers >= 0, np.searchsorted(used, numbers), numbers)
    return Folds(without_empty, method.kind == "time")
