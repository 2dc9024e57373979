"""Encode table columns as the numbers that a model is fitted on, and decode them."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import (
    ASCII_WHITESPACE,
    FALSE,
    INVALID,
    MISSING,
    NAN_WORD,
    NUMBER_PATTERN,
    TRUE,
    WHITESPACE,
    Mask,
    Matrix,
    Vector,
    float_vector,
    to_str,
)
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.formats import TextParser
from lightmodel.contract.matrices import NewMatrix, empty_matrix
from lightmodel.contract.task import Task, TaskKind
from lightmodel.contract.time_arrays import as_numbers, time_texts
from lightmodel.tables.text_columns import NONE, TextEncoders, matrix_width, write_texts

_TEXTS = 50_000  # of a column, that are Python objects at a time


def feature_matrix(
    table: pa.Table,
    contract: Contract,
    encoders: TextEncoders = NONE,
    new_matrix: NewMatrix = empty_matrix,
) -> Matrix:
    """Return (rows, features) float64, columns by name in training order, column-major.

    Missing values, and categories that training never saw, are NaN. A text is its length; what the
    `encoders` make of it stands behind all features.
    """
    matrix = new_matrix(table.num_rows, matrix_width(contract, encoders))
    texts = []
    for at, column in enumerate(contract.features):
        if column.type is ColumnType.TEXT:
            texts.append(column.name)
        else:
            matrix[:, at] = _numbers(table[column.name], column)
    for start in range(0, table.num_rows if texts else 0, _TEXTS):
        rows = table.select(texts).slice(start, _TEXTS)
        block = matrix[start : start + _TEXTS]
        write_texts(block, rows.to_pydict(), contract, encoders)
    return matrix


def _numbers(values: pa.ChunkedArray, column: Column) -> Vector:
    if column.type is ColumnType.CATEGORY:
        values = pc.index_in(values, pa.array(column.categories, pa.string()))
    return float_vector(as_numbers(values))


def trim(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Strip whitespace around texts; return `values` itself if there is none."""
    if pc.all(pc.string_is_ascii(values), min_count=0).as_py():
        bare = pc.ascii_trim(values, ASCII_WHITESPACE)
    else:
        bare = pc.utf8_trim(values, WHITESPACE)
    return values if _length(bare) == _length(values) else bare


def _length(values: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.binary_length(values)).as_py() or 0)


def to_numbers(texts: pa.ChunkedArray, missing: Collection[str], decimal: str = ".") -> Vector:
    """Return texts as numbers, as `cells.parse_number` reads each; null is a missing value."""
    values, absent = _masked(trim(texts), missing)
    if decimal != ".":
        values = pc.replace_substring(values, ".", "?")
        values = pc.replace_substring(values, decimal, ".")
    try:
        numbers = np.array(float_vector(values))
        if not np.isnan(numbers[~absent]).any():
            return numbers
    except pa.ArrowInvalid:
        pass
    return _parse_mixed(values, absent)


def _masked(values: pa.ChunkedArray, missing: Collection[str]) -> tuple[pa.ChunkedArray, Mask]:
    """Return texts with missing values as null, and the mask of those."""
    absent = pc.is_in(values, value_set=pa.array([None, "", *missing], pa.string()))
    return pc.if_else(absent, None, values), absent.to_numpy()


def _parse_mixed(values: pa.ChunkedArray, absent: Mask) -> Vector:
    """Parse a column in which some texts are not numbers."""
    words = pc.match_substring_regex(values, f"^{NAN_WORD}$")
    numbers = np.full(len(values), INVALID)
    pattern = f"^({NUMBER_PATTERN}|(?i:[+-]?(inf|infinity)))$"
    valid = pc.fill_null(pc.match_substring_regex(values, pattern), False).to_numpy()
    numbers[valid] = float_vector(values.filter(pa.array(valid)))
    numbers[absent | pc.fill_null(words, False).to_numpy()] = MISSING
    return numbers


def to_booleans(texts: pa.ChunkedArray, missing: Collection[str], decimal: str = ".") -> Vector:
    """Return texts as 1.0 and 0.0, as `cells.parse_boolean` reads each; null is a missing value."""
    values, _ = _masked(trim(texts), missing)
    true, false = (pc.is_in(values, value_set=pa.array(words)) for words in (TRUE, FALSE))
    words = pc.or_(true, false)
    numbers = as_booleans(to_numbers(pc.if_else(words, None, values), (), decimal))
    numbers[words.to_numpy()] = true.to_numpy()[words.to_numpy()]
    return numbers


def as_booleans(numbers: Vector) -> Vector:
    """Return 1.0, 0.0 and NaNs as they are, and any other number as INVALID."""
    wrong = ~np.isin(numbers, (0.0, 1.0)) & (numbers == numbers)
    booleans: Vector = np.where(wrong, INVALID, np.abs(numbers))
    return booleans


def format_column(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values of any type as texts, as `cells.to_str` writes each."""
    if pa.types.is_string(values.type):
        return trim(values)
    encoded = dictionary_encoded(values)
    texts = [to_str(value) for value in encoded.dictionary.to_pylist()]
    return pa.chunked_array([pc.take(pa.array(texts, pa.string()), encoded.indices)])


def parse_texts(texts: pa.ChunkedArray, parse: TextParser) -> Vector:
    """Return stripped texts as numbers, each distinct one parsed once; null is a missing value."""
    encoded = dictionary_encoded(texts)
    numbers = np.append(parse(encoded.dictionary.to_pylist()), MISSING)
    places = encoded.indices.fill_null(len(encoded.dictionary))
    parsed: Vector = numbers[places.to_numpy()]
    return parsed


def dictionary_encoded(values: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return values as indices into a dictionary of the distinct ones; null stays null."""
    encoded = values.dictionary_encode().combine_chunks()
    return encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded


def target_vector(values: pa.ChunkedArray, task: Task) -> Vector:
    """Return (rows,) float64: class codes in the order of the task's labels, or the numbers.

    Raises:
        KeyError: the task has no such label.
    """
    if task.kind is TaskKind.REGRESSION:
        return float_vector(values)
    codes = {label: float(code) for code, label in enumerate(task.labels)}
    encoded = dictionary_encoded(values)
    per_label = np.array([codes[label] for label in encoded.dictionary.to_pylist()])
    vector: Vector = per_label[encoded.indices.to_numpy()]
    return vector


def json_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows as JSON values by name: NaN becomes None, dates and times text as in ISO 8601."""
    columns = [
        time_texts(values) if pa.types.is_temporal(values.type) else json_values(values)
        for values in table.columns
    ]
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def json_values(values: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column as JSON values."""
    return [_json_value(value) for value in values.to_pylist()]


def _json_value(value: object) -> object:
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
