"""Columns of a table as the numbers that a model sees, and back."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import (
    ASCII_BLANKS,
    BLANKS,
    FALSE,
    NAN_WORD,
    NOT_A_NUMBER,
    NOT_THERE,
    NUMBER,
    TRUE,
    Mask,
    Matrix,
    Vector,
    float_vector,
    text_of,
)
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.task import Task, TaskKind


def feature_matrix(table: pa.Table, contract: Contract) -> Matrix:
    """Return (rows, features) float64, columns by name in training order, column-major.

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
    return float_vector(values)


def trimmed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts without the blanks around them; `values` itself where there are none."""
    if pc.all(pc.string_is_ascii(values), min_count=0).as_py():
        bare = pc.ascii_trim(values, ASCII_BLANKS)
    else:
        bare = pc.utf8_trim(values, BLANKS)
    return values if _length(bare) == _length(values) else bare


def _length(values: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.binary_length(values)).as_py() or 0)


def numbers_from(texts: pa.ChunkedArray, missing: Collection[str], decimal: str = ".") -> Vector:
    """Return texts as numbers, as `cells.number_in` reads each; null is a missing value."""
    values, absent = _present(trimmed(texts), missing)
    if decimal != ".":
        values = pc.replace_substring(values, ".", "?")
        values = pc.replace_substring(values, decimal, ".")
    try:
        numbers = np.array(float_vector(values))
        if not np.isnan(numbers[~absent]).any():
            return numbers
    except pa.ArrowInvalid:
        pass
    return _one_by_one(values, absent)


def _present(values: pa.ChunkedArray, missing: Collection[str]) -> tuple[pa.ChunkedArray, Mask]:
    """Return texts that are null where they mean no value, and where that is."""
    absent = pc.is_in(values, value_set=pa.array([None, "", *missing], pa.string()))
    return pc.if_else(absent, None, values), absent.to_numpy()


def _one_by_one(values: pa.ChunkedArray, absent: Mask) -> Vector:
    """Read those that are numbers, where some are not."""
    words = pc.match_substring_regex(values, f"^{NAN_WORD}$")
    numbers = np.full(len(values), NOT_A_NUMBER)
    pattern = f"^({NUMBER}|(?i:[+-]?(inf|infinity)))$"
    right = pc.fill_null(pc.match_substring_regex(values, pattern), False).to_numpy()
    numbers[right] = float_vector(values.filter(pa.array(right)))
    numbers[absent | pc.fill_null(words, False).to_numpy()] = NOT_THERE
    return numbers


def booleans_from(texts: pa.ChunkedArray, missing: Collection[str], decimal: str = ".") -> Vector:
    """Return texts as 1.0 and 0.0, as `cells.boolean_in` reads each; null is a missing value."""
    values, _ = _present(trimmed(texts), missing)
    true, false = (pc.is_in(values, value_set=pa.array(words)) for words in (TRUE, FALSE))
    words = pc.or_(true, false)
    numbers = truths(numbers_from(pc.if_else(words, None, values), (), decimal))
    numbers[words.to_numpy()] = true.to_numpy()[words.to_numpy()]
    return numbers


def truths(numbers: Vector) -> Vector:
    """Return numbers as 1.0, 0.0 and the NaNs that they are; all others are NOT_A_NUMBER."""
    wrong = ~np.isin(numbers, (0.0, 1.0)) & (numbers == numbers)
    found: Vector = np.where(wrong, NOT_A_NUMBER, np.abs(numbers))
    return found


def texts_of(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values of any type as texts, as `cells.text_of` writes each."""
    if pa.types.is_string(values.type):
        return trimmed(values)
    found = coded(values)
    texts = [text_of(value) for value in found.dictionary.to_pylist()]
    return pa.chunked_array([pc.take(pa.array(texts, pa.string()), found.indices)])


def coded(values: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return values as places in a dictionary of those that differ; null is null."""
    found = values.dictionary_encode().combine_chunks()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def target_vector(values: pa.ChunkedArray, task: Task) -> Vector:
    """Return (rows,) float64: class codes in the order of the task's labels, or the numbers.

    Raises:
        KeyError: a label that the task does not know.
    """
    if task.kind is TaskKind.REGRESSION:
        return float_vector(values)
    codes = {label: float(code) for code, label in enumerate(task.labels)}
    found = coded(values)
    per_label = np.array([codes[label] for label in found.dictionary.to_pylist()])
    vector: Vector = per_label[found.indices.to_numpy()]
    return vector


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows as JSON would carry them: NaN becomes None, dates become text."""
    columns = [plain_values(values) for values in table.columns]
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def plain_values(values: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column as JSON would carry them."""
    return [_plain(value) for value in values.to_pylist()]


def plain_features(features: Matrix, contract: Contract) -> dict[str, list[Any]]:
    """Return (rows, features) as values by name; None is missing, or a category never seen."""
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
