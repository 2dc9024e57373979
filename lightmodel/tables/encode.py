"""Turn a table that fits the contract into the numbers that a model sees, and back."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.arrays import Matrix, Vector
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.task import Task, TaskKind


def feature_matrix(table: pa.Table, contract: Contract) -> Matrix:
    """Give (rows, features) float64, columns by name in training order, column-major.

    Missing values, and categories that training never saw, are NaN.
    """
    features = contract.features
    matrix = np.empty((table.num_rows, len(features)), dtype=np.float64, order="F")
    for at, column in enumerate(features):
        matrix[:, at] = _numbers(table[column.name], column)
    return matrix


def _numbers(values: pa.ChunkedArray, column: Column) -> Vector:
    if column.type is ColumnType.CATEGORY:
        values = pc.index_in(values, pa.array(column.categories, pa.string()))
    numbers: Vector = values.cast(pa.float64()).to_numpy()
    return numbers


def target_vector(values: pa.ChunkedArray, task: Task) -> Vector:
    """Give (rows,) float64: class codes in the order of the task's labels, or the numbers.

    Raises:
        KeyError: a label that the task does not know.
    """
    if task.kind is TaskKind.REGRESSION:
        numbers: Vector = values.cast(pa.float64()).to_numpy()
        return numbers
    codes = {label: float(code) for code, label in enumerate(task.labels)}
    dictionary = values.combine_chunks().dictionary_encode()
    if isinstance(dictionary, pa.ChunkedArray):
        dictionary = dictionary.combine_chunks()
    per_label = np.array([codes[label] for label in dictionary.dictionary.to_pylist()])
    vector: Vector = per_label[dictionary.indices.to_numpy()]
    return vector


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Give rows as JSON would carry them: NaN becomes None, dates become text."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def plain_features(features: Matrix, contract: Contract) -> dict[str, list[Any]]:
    """Give (rows, features) back as values by name; None is missing, or a category never seen."""
    return {
        column.name: [None if value != value else _named(value, column) for value in values]
        for column, values in zip(contract.features, features.T.tolist(), strict=True)
    }


def _named(value: float, column: Column) -> Any:  # noqa: ANN401 — of the column's own type
    if column.type is ColumnType.CATEGORY:
        return column.categories[int(value)]
    return bool(value) if column.type is ColumnType.BOOLEAN else value


def _plain(value: object) -> object:
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
