"""Read the recent window of the prediction log as columns, to be compared with training."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import numpy as np
import orjson

from lightmodel.contract.cells import UNSEEN, Mask, Vector, is_marker
from lightmodel.contract.columns import Column, Contract
from lightmodel.contract.task import TaskKind
from lightmodel.predictions.base import Sink, utc_text
from lightmodel.training.logged_features import numbers_of, parser_of
from lightmodel.training.reference import names_of, score_names

_BATCH_ROWS = (
    1_000  # decoded together: as Python's objects, rows take ten times their room as numbers
)


@dataclass(frozen=True)
class WindowColumn:
    """A column of the window.

    Attributes:
        rows: number of rows that were compared.
        missing: number of rows without a value.
        unseen: number of rows with a category that training never saw.
        numbers: sorted, without missing ones; None for categories.
        counts: rows by category; None for numbers.
    """

    rows: int
    missing: int
    unseen: int = 0
    numbers: Vector | None = None
    counts: Mapping[str, int] | None = None

    @classmethod
    def of_numbers(cls, values: Vector) -> "WindowColumn":
        """Return a column of numbers, NaN where one is missing."""
        absent = np.isnan(values)
        missing = int(np.count_nonzero(absent))
        numbers = np.sort(values[~absent] if missing else values)
        return cls(len(values), missing, numbers=numbers)

    @classmethod
    def of_codes(cls, codes: Vector, names: Sequence[str]) -> "WindowColumn":
        """Return a column of codes of names, MISSING or UNSEEN where there is none."""
        unseen: Mask = is_marker(codes, UNSEEN)
        present = codes[~np.isnan(codes)].astype(np.int64)
        counted = np.bincount(present, minlength=len(names)).tolist()
        new = int(np.count_nonzero(unseen))
        counts = dict(zip(names, counted, strict=True))
        return cls(len(codes), len(codes) - len(present) - new, new, counts=counts)


@dataclass(frozen=True)
class Window:
    """What a model version was asked and answered in a period of time.

    Attributes:
        rows: number of rows that it answered.
        since: time of the first of them that was compared, in ISO format; "" if there is none.
        until: time of the last one.
        compared: number of rows that were compared: all, or one in so many.
        features: by name; empty if no features are logged.
        scores: by the names of `score_names`.
    """

    rows: int
    since: str = ""
    until: str = ""
    compared: int = 0
    features: Mapping[str, WindowColumn] = field(default_factory=dict)
    scores: Mapping[str, WindowColumn] = field(default_factory=dict)


@dataclass(frozen=True)
class WindowRows:
    """Rows of the window as numbers, each column in the order of the rows.

    Attributes:
        total: number of rows that the version answered.
        times: of the first and the last row, and of others, in no order.
        has_features: (rows,) whether a row's features are logged.
        features: (rows with features,) by name, categories as codes of `names_of`; empty without any.
        scores: (rows,) by the names of `score_names`.
    """

    total: int
    times: Sequence[str]
    has_features: Mask
    features: Mapping[str, Vector]
    scores: Mapping[str, Vector]


def read_window(
    sink: Sink, version: str, contract: Contract, since: datetime, max_rows: int
) -> Window:
    """Return what a model version has answered since a time.

    Raises:
        LightModelError: the database cannot be used (see `Sink`).
    """
    rows = read_rows(sink, version, contract, since, max_rows)
    features = {
        column.name: _column(rows.features[column.name], column)
        for column in contract.features
        if column.name in rows.features
    }
    scores = {name: WindowColumn.of_numbers(values) for name, values in rows.scores.items()}
    span = (min(rows.times), max(rows.times)) if rows.times else ("", "")
    return Window(rows.total, *span, len(rows.has_features), features, scores)


def read_rows(
    sink: Sink, version: str, contract: Contract, since: datetime, max_rows: int
) -> WindowRows:
    """Return the rows that a model version has answered since a time, or one in so many of them.

    Raises:
        LightModelError: the database cannot be used (see `Sink`).
    """
    start = utc_text(since)
    total = sink.window_size(version, start)
    every = max(1, -(-total // max_rows))
    decoder = _Decoder(contract)
    times: list[str] = []
    for batch in _batches(sink.window(version, start, every)):
        times += [min(batch)[0], max(batch)[0]]
        decoder.add(batch)
    return WindowRows(total, times, *decoder.rows())


_LogRow = tuple[str, str, str, str | None]


def _batches(rows: Iterable[_LogRow]) -> Iterator[list[_LogRow]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH_ROWS)):
        yield batch


class _Decoder:
    """Turns rows of the log into columns of numbers, batch by batch."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._features = [column for column in contract.features if not column.type.is_date]
        self._parsers = {column.name: parser_of(column) for column in self._features}
        self._parts: defaultdict[str, list[Vector]] = defaultdict(list)
        self._scores: defaultdict[str, list[Vector]] = defaultdict(list)
        self._has_features: list[bool] = []

    def add(self, batch: Sequence[_LogRow]) -> None:
        """Decode a batch."""
        self._has_features += [text is not None for *_, text in batch]
        rows = [orjson.loads(text) for *_, text in batch if text is not None]
        columns = zip(*(map(row.get, self._parsers) for row in rows), strict=True)
        for (name, parse), cells in zip(self._parsers.items(), columns, strict=False):
            self._parts[name].append(parse(cells))
        task = self._contract.task.kind
        place = 1 if task is TaskKind.REGRESSION else 2
        scores = [orjson.loads(row[place]) for row in batch]  # type: ignore[arg-type]  # never None
        for name in score_names(self._contract):
            values = (
                [_of_class(one, name) for one in scores] if task is TaskKind.MULTICLASS else scores
            )
            self._scores[name].append(numbers_of(values))

    def rows(self) -> tuple[Mask, dict[str, Vector], dict[str, Vector]]:
        """Return which rows have features, and the columns of the features and of the scores, by name."""
        features = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        scores = {name: np.concatenate(parts) for name, parts in self._scores.items()}
        return np.array(self._has_features, np.bool_), features, scores


def _of_class(probabilities: object, label: str) -> object:
    return probabilities.get(label) if isinstance(probabilities, dict) else None


def _column(values: Vector, column: Column) -> WindowColumn:
    names = names_of(column)
    if names is None:
        return WindowColumn.of_numbers(values)
    return WindowColumn.of_codes(values, names)
