"""Summary statistics of a table, for reports and for measuring drift against it later."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lightmodel.contract.cells import Vector, float_vector
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.time_arrays import as_numbers

SAMPLED_ROWS = 20_000
GRID = 100


@dataclass(frozen=True)
class ColumnProfile:
    """Statistics of one column.

    Attributes:
        rows: count of all rows.
        missing: share of the rows without a value.
        sampled: count of the present values from which `grid` and `shares` are computed.
        spread: the standard deviation.
        grid: ascending values at which `shares` is evaluated (numeric columns; times in seconds;
            lengths of texts).
        shares: cumulative distribution: the share of present values up to each one in `grid`.
        counts: rows for each category, label or boolean (other columns).
    """

    rows: int
    missing: float
    sampled: int
    mean: float | None = None
    spread: float | None = None
    grid: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    counts: dict[str, int] | None = None


@dataclass(frozen=True)
class Profile:
    """Statistics of all features and of the target, by name."""

    columns: dict[str, ColumnProfile]

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Profile":
        """Return the profile of a dict that `to_dict` made."""
        columns = {}
        for name, fields in content["columns"].items():
            lists = {key: tuple(fields[key]) for key in ("grid", "shares")}
            columns[name] = ColumnProfile(**{**fields, **lists})
        return cls(columns)


def profile(table: pa.Table, contract: Contract) -> Profile:
    """Profile the features and the target; quantiles use an evenly spaced sample of the rows."""
    sample = evenly_spaced(table, SAMPLED_ROWS)
    columns = [column for column in contract.columns if column.role in {Role.FEATURE, Role.TARGET}]
    return Profile(
        {
            column.name: _column(table[column.name], sample[column.name], column)
            for column in columns
        }
    )


def evenly_spaced(table: pa.Table, most: int) -> pa.Table:
    """Return at most so many rows of a table, the first one and every n-th behind it."""
    step, start = max(1, -(-table.num_rows // most)), 0
    if step == 1:
        return table
    parts = []
    for batch in table.to_reader():  # `Table.take` would join the parts of each column first
        parts.append(batch.take(pa.array(np.arange(-start % step, batch.num_rows, step))))
        start += batch.num_rows
    return pa.Table.from_batches(parts, table.schema)


def _column(values: pa.ChunkedArray, sample: pa.ChunkedArray, column: Column) -> ColumnProfile:
    rows = len(values)
    missing = _missing_share(values)
    if column.type is ColumnType.TEXT:
        values, sample = pc.utf8_length(values), pc.utf8_length(sample)
    elif not column.type.has_range:
        return ColumnProfile(rows, missing, rows, counts=_counts(values))
    values = as_numbers(values)
    numbers = present_numbers(sample)
    if len(numbers) == 0:
        return ColumnProfile(rows, missing, 0)
    if pa.types.is_floating(values.type):  # Parquet may hold NaN beside nulls
        values = pc.if_else(pc.is_nan(values), None, values)
    grid, shares = _distribution(numbers)
    mean, spread = pc.mean(values).as_py(), pc.stddev(values).as_py()
    return ColumnProfile(rows, missing, len(numbers), mean, spread, grid, shares)


def _missing_share(values: pa.ChunkedArray) -> float:
    return float(pc.mean(values.is_null(nan_is_null=True).cast(pa.float64())).as_py() or 0.0)


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    texts = values.drop_null().cast(pa.string())
    counts = {item["values"]: item["counts"] for item in texts.value_counts().to_pylist()}
    return dict(sorted(counts.items()))


def present_numbers(values: pa.ChunkedArray) -> Vector:
    """Return the present values, sorted; of times, their seconds, and of texts, their lengths."""
    if pa.types.is_string(values.type):
        values = pc.utf8_length(values)
    numbers = float_vector(as_numbers(values))
    present: Vector = np.sort(numbers[~np.isnan(numbers)])
    return present


def _distribution(numbers: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return up to about 100 values, and the exact share of numbers up to each of them."""
    grid = np.unique(numbers)
    if len(grid) > GRID:
        grid = np.unique(np.quantile(numbers, np.linspace(0, 1, GRID + 1), method="lower"))
    shares = np.searchsorted(numbers, grid, side="right") / len(numbers)
    return tuple(grid.tolist()), tuple(shares.tolist())
