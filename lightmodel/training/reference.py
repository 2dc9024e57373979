"""The training reference: what the model saw in training, to measure drift against it later.

It is a stratified sample of each column by itself: of the sorted values, one of each stratum of equal
size, with the shares of the rows below it and up to it. So no row can be put together from it, its size
does not depend on the table's, and a distance to it is exact at the sampled values.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from lightmodel.contract.cells import Matrix, Scores, Vector
from lightmodel.contract.columns import Column, ColumnType, Contract
from lightmodel.contract.publication import published
from lightmodel.contract.task import TaskKind, label_name
from lightmodel.errors import ArtefactCorrupt

REFERENCE = "reference.parquet"
STRATA = 500
MAX_ROWS = 100_000  # of which values are sorted; more change nothing that could be seen
MAX_CATEGORIES = 100  # the most frequent ones that are published; the others are counted together
BOOLEANS = ("false", "true")
_FORMAT = 1
_KEY = b"light-model"
_CELLS = ("values", "below", "upto")


@dataclass(frozen=True)
class Distribution:
    """The empirical distribution of a column's numbers.

    Attributes:
        count: number of rows with a value.
        values: ascending; the smallest and the largest number are among them.
        below: share of the numbers below each value.
        upto: share of the numbers up to each value.
    """

    count: int
    values: Vector
    below: Vector
    upto: Vector

    @classmethod
    def of(cls, numbers: Vector) -> "Distribution":
        """Return the distribution of sorted numbers, none of which is NaN."""
        if not len(numbers):
            return cls(0, numbers, numbers, numbers)
        ranks = np.linspace(0, len(numbers) - 1, min(STRATA, len(numbers))).round().astype(np.int64)
        values = np.unique(numbers[ranks])
        below, upto = (
            np.searchsorted(numbers, values, side) / len(numbers) for side in ("left", "right")
        )
        return cls(len(numbers), values, below, upto)

    def distance(self, numbers: Vector) -> float:
        """Return the Kolmogorov-Smirnov distance to sorted numbers, at the values of the reference."""
        below, upto = (
            np.searchsorted(numbers, self.values, side) / len(numbers) for side in ("left", "right")
        )
        return float(max(np.abs(below - self.below).max(), np.abs(upto - self.upto).max()))


@dataclass(frozen=True)
class ColumnReference:
    """A column in training; it has numbers, counts, or neither if its categories are not published.

    Attributes:
        rows: number of all training rows.
        missing: number of rows without a value.
        numbers: of a column of numbers, times of day, durations (in seconds) or texts (their lengths).
        counts: rows by published category, the most frequent first.
        others: rows of all other categories.
        single: number of categories with one row; so many in as many rows tell how many are unseen.
    """

    rows: int
    missing: int
    numbers: Distribution | None = None
    counts: Mapping[str, int] | None = None
    others: int = 0
    single: int = 0


@dataclass(frozen=True)
class Reference:
    """The features and the scores of the training rows; dates are left out, for time goes on.

    Attributes:
        scores: out of fold: of the positive class ("probability"), of each class, or "prediction".
    """

    features: Mapping[str, ColumnReference] = field(default_factory=dict)
    scores: Mapping[str, ColumnReference] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return it as a Parquet file: a row for each sampled value, and the counts as metadata."""
        import pyarrow as pa
        from pyarrow import parquet

        parts = [
            (f"{kind}/{name}", column.numbers)
            for kind, columns in (("feature", self.features), ("score", self.scores))
            for name, column in columns.items()
            if column.numbers is not None
        ]
        names = np.repeat([name for name, _ in parts], [len(one.values) for _, one in parts])
        cells = {
            key: np.concatenate([np.empty(0), *(getattr(one, key) for _, one in parts)])
            for key in _CELLS
        }
        table = pa.table({"column": pa.array(names.tolist(), pa.string()), **cells})
        out = io.BytesIO()
        described = table.replace_schema_metadata({_KEY: orjson.dumps(self._described())})
        parquet.write_table(described, out, compression="zstd")
        return out.getvalue()

    def _described(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "features": {name: _facts(column) for name, column in self.features.items()},
            "scores": {name: _facts(column) for name, column in self.scores.items()},
        }

    @classmethod
    def from_bytes(cls, data: bytes, name: str = REFERENCE) -> "Reference":
        """Return the reference that `to_bytes` wrote.

        Raises:
            ArtefactCorrupt: the bytes are not such a file.
        """
        import pyarrow as pa
        from pyarrow import parquet

        try:
            table = parquet.read_table(io.BytesIO(data))
            facts = orjson.loads(table.schema.metadata[_KEY])
            values = _Values(table)
            return cls(
                *(
                    {key: values.column(f"{kind}/{key}", one) for key, one in facts[part].items()}
                    for kind, part in (("feature", "features"), ("score", "scores"))
                )
            )
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise ArtefactCorrupt(
                f"{name} is not a training reference: {error}",
                hint="restore the version from a backup, or train again",
            ) from error


class _Values:
    """The sampled values of all columns, cut by the column that they belong to."""

    def __init__(self, table: Any) -> None:  # noqa: ANN401 — pyarrow has no types
        from lightmodel.tables.encode import dictionary_encoded  # imports Arrow, which is slow

        encoded = dictionary_encoded(table["column"])
        codes = encoded.indices.to_numpy()
        self._places = {
            name: np.flatnonzero(codes == code)
            for code, name in enumerate(encoded.dictionary.to_pylist())
        }
        self._arrays = {key: table[key].to_numpy() for key in _CELLS}

    def column(self, name: str, facts: Mapping[str, Any]) -> ColumnReference:
        """Return a column of these facts, as `_facts` returns them."""
        facts = dict(facts)
        count = facts.pop("count")
        numbers = None
        if count is not None:
            places = self._places.get(name, np.empty(0, np.int64))
            numbers = Distribution(count, *(one[places] for one in self._arrays.values()))
        return ColumnReference(numbers=numbers, **facts)


def _facts(column: ColumnReference) -> dict[str, Any]:
    """Return what the metadata says of a column: all but its sampled values."""
    return {
        "rows": column.rows,
        "missing": column.missing,
        "count": None if column.numbers is None else column.numbers.count,
        "counts": None if column.counts is None else dict(column.counts),
        "others": column.others,
        "single": column.single,
    }


def make_reference(features: Matrix, contract: Contract, scores: Scores) -> Reference:
    """Return the reference of training rows.

    Args:
        features: (rows, features and more) as the model is trained on them.
        contract: its features are the first columns.
        scores: (rows,) or (rows, classes) out of fold; NaN where no fold holds a row out.
    """
    step = max(1, -(-len(features) // MAX_ROWS))
    shown = _published(features, contract)
    columns = {
        column.name: _column(features[:, at], column, shown, step)
        for at, column in enumerate(contract.features)
        if not column.type.is_date
    }
    by_name = zip(score_names(contract), np.atleast_2d(scores.T), strict=True)
    return Reference(columns, {name: _numbers(one[~np.isnan(one)], step) for name, one in by_name})


def score_names(contract: Contract) -> tuple[str, ...]:
    """Return the names of a model's scores: one, or those of all classes of several."""
    if contract.task.kind is TaskKind.MULTICLASS:
        return tuple(label_name(label) for label in contract.task.labels)
    return ("prediction",) if contract.task.kind is TaskKind.REGRESSION else ("probability",)


def names_of(column: Column) -> tuple[str, ...] | None:
    """Return the names of a column's values in the order of their codes; None if they are numbers."""
    if column.type is ColumnType.BOOLEAN:
        return BOOLEANS
    return column.categories if column.type is ColumnType.CATEGORY else None


def _published(features: Matrix, contract: Contract) -> Mapping[str, Sequence[str]]:
    """Return the names that anybody may see, the most frequent first, by column with counted values."""
    counts = {
        column.name: {"counts": _counts(features[:, at], names)}
        for at, column in enumerate(contract.features)
        if (names := names_of(column)) is not None
    }
    return {**dict.fromkeys(counts, BOOLEANS), **published(contract, counts).by_column}


def _counts(codes: Vector, names: Sequence[str]) -> dict[str, int]:
    present = codes[~np.isnan(codes)].astype(np.int64)
    return dict(zip(names, np.bincount(present, minlength=len(names)).tolist(), strict=True))


def _column(
    values: Vector, column: Column, shown: Mapping[str, Sequence[str]], step: int
) -> ColumnReference:
    names = names_of(column)
    if names is None:
        return _numbers(values, step)
    counts = _counts(values, names)
    kept = {name: counts[name] for name in shown[column.name][:MAX_CATEGORIES]}
    present = sum(counts.values())
    return ColumnReference(
        len(values),
        len(values) - present,
        counts=kept or None,
        others=present - sum(kept.values()),
        single=sum(count == 1 for count in counts.values()),
    )


def _numbers(values: Vector, step: int) -> ColumnReference:
    sample = values[::step]
    numbers = np.sort(sample[~np.isnan(sample)])
    return ColumnReference(len(values), int(np.isnan(values).sum()), Distribution.of(numbers))
