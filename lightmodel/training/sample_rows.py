"""Make sample rows that tell nothing of any row of the training table.

Each column is drawn by itself, so that no row of them is a person's, and no rare value appears at all: it
is replaced by one between others, or left out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import Codes, Vector, float_vector
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.dates import DAY, NO_TIME
from lightmodel.contract.publication import MIN_ROWS, WITHHELD, publishable
from lightmodel.contract.time_arrays import as_numbers, time_array

_LOOKED_AT = 10_000  # rows
_QUANTILES = 0.05, 0.95  # the smallest and largest numbers may be one person's
_DIGITS = 2  # of the spread of a column: others might be the trace of a value
_MINUTE, _MICROSECONDS = 60, 1_000_000
_WORD = re.compile(r"(?<!\w)[^\W\d_]{2,}(?!\w)")
_SHARE_OF_WORD = 0.01  # of the rows: rarer words may be names
_MAX_CHARACTERS, _MAX_WORDS = 1_000, 12  # of a text


def synthetic_rows(table: pa.Table, contract: Contract, count: int, seed: int) -> pa.Table:
    """Return `count` rows like those of a table, of which no row has this one's values.

    They satisfy the contract, except that a category of which every value is rare becomes `WITHHELD`.
    """
    random = np.random.default_rng(seed)
    step = max(1, -(-table.num_rows // _LOOKED_AT))
    seen = pa.array(np.arange(0, table.num_rows, step))
    columns = {column.name: column for column in contract.columns}
    drawn = {
        name: _draw(
            table[name].take(seen), columns[name], random.integers(0, len(seen), count), random
        )
        for name in table.column_names
    }
    return pa.table(drawn)


def _draw(
    values: pa.ChunkedArray, column: Column, rows: Codes, random: np.random.Generator
) -> pa.ChunkedArray:
    """Return a value for each of some rows; the values themselves only where many rows have them."""
    if column.role is Role.ID and not pa.types.is_temporal(values.type):
        return _ids(values.type, len(rows))
    picked = values.take(pa.array(rows))
    if values.null_count == len(values) or pa.types.is_boolean(values.type):
        return picked
    if not pa.types.is_string(values.type):
        return _numbers(values, column, rows, random)
    present = values.drop_null().to_pylist()
    make = _texts if column.type is ColumnType.TEXT else _categories
    drawn = pa.array(make(present, len(rows), random), values.type)
    return pc.if_else(picked.is_null(), None, pa.chunked_array([drawn]))


def _ids(kind: pa.DataType, count: int) -> pa.ChunkedArray:
    numbers = range(1, count + 1)
    texts = pa.types.is_string(kind)
    made = pa.array([f"sample-{number}" for number in numbers] if texts else list(numbers))
    return pa.chunked_array([made.cast(kind)])


def _categories(present: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """Return categories of many rows that do not look like persons, as often as they are."""
    counts = Counter(present)
    known = publishable(sorted(counts), counts)
    return _weighted(known, [counts[text] for text in known], count, random)


def _texts(present: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """Return texts of words that occur in many rows, about as long as texts are."""
    words = [_WORD.findall(text[:_MAX_CHARACTERS]) for text in present]
    counts = Counter(word for found in words for word in set(found))
    enough = max(MIN_ROWS, _SHARE_OF_WORD * len(present))
    known = sorted(word for word, rows in counts.items() if rows >= enough)
    if not known:
        return [WITHHELD] * count
    lengths = [len(words[row]) for row in random.integers(0, len(words), count)]
    weights = [counts[word] for word in known]
    return [
        " ".join(_weighted(known, weights, min(max(1, length), _MAX_WORDS), random))
        for length in lengths
    ]


def _weighted(
    known: Sequence[str], weights: Iterable[int], count: int, random: np.random.Generator
) -> list[str]:
    if not known:
        return [WITHHELD] * count
    shares = np.array(list(weights), np.float64)
    return [known[at] for at in random.choice(len(known), count, p=shares / shares.sum())]


def _numbers(
    values: pa.ChunkedArray, column: Column, rows: Codes, random: np.random.Generator
) -> pa.ChunkedArray:
    """Return numbers or times: those of many rows, and rounded ones between the others."""
    numbers = float_vector(as_numbers(values))
    present = numbers[~np.isnan(numbers)]
    distinct, counts = np.unique(present, return_counts=True)
    frequent = distinct[counts >= MIN_ROWS]
    between = np.quantile(present, random.uniform(*_QUANTILES, len(rows)))
    made = np.clip(_rounded(between, present, column, values.type), present.min(), present.max())
    picked = numbers[rows]
    drawn = np.where(np.isnan(picked) | np.isin(picked, frequent), picked, made)
    if pa.types.is_temporal(values.type):
        micros = np.where(np.isnan(drawn), 0, drawn) * _MICROSECONDS
        places = np.where(np.isnan(drawn), NO_TIME, micros.astype(np.int64))
        return time_array(places, column.type).cast(values.type)
    return pa.chunked_array([pa.array(drawn, mask=np.isnan(drawn)).cast(values.type)])


def _rounded(numbers: Vector, present: Vector, column: Column, kind: pa.DataType) -> Vector:
    """Return numbers with few digits, whole where the column's are; days, or minutes, of times."""
    if pa.types.is_temporal(kind):
        unit = DAY // _MICROSECONDS if column.type is ColumnType.DATE else _MINUTE
        floored: Vector = np.floor(numbers / unit) * unit
        return floored
    low, high = np.quantile(present, _QUANTILES)
    digits = _DIGITS - int(np.floor(np.log10(high - low))) if high > low else _DIGITS
    whole = pa.types.is_integer(kind) or column.type is ColumnType.INTEGER
    rounded: Vector = np.round(numbers, min(digits, 0) if whole else digits)
    return rounded
