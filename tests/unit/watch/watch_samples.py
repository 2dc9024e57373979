"""Contracts, matrices and logs for tests of watching."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lightmodel.contract.cells import Matrix, Vector
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.predictions.base import AnsweredRows, encode
from lightmodel.predictions.sqlite import SqliteSink
from lightmodel.training.reference import Reference, make_reference, names_of
from lightmodel.watch.window import Window, WindowColumn

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
BINARY = Task(TaskKind.BINARY, ("no", "yes"))
COLOURS = ("blue", "green", "red")


def feature(name: str, kind: ColumnType, categories: Iterable[str] = ()) -> Column:
    return Column(name, Role.FEATURE, kind, True, categories=tuple(categories))


def contract_of(*features: Column, task: Task = BINARY) -> Contract:
    target = Column("y", Role.TARGET, ColumnType.CATEGORY, missing=False)
    return Contract((*features, target), task)


MIXED = contract_of(
    feature("x", ColumnType.NUMBER),
    feature("count", ColumnType.INTEGER),
    feature("colour", ColumnType.CATEGORY, COLOURS),
    feature("member", ColumnType.BOOLEAN),
    feature("day", ColumnType.DATE),
    feature("open", ColumnType.TIME),
    feature("said", ColumnType.TEXT),
)


def mixed_rows(rows: int, seed: int = 0) -> Matrix:
    """Return rows of MIXED as a model reads them; a tenth of `x` is missing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    x[random.random(rows) < 0.1] = np.nan
    columns = (
        x,
        random.poisson(2, rows),
        random.choice(3, rows, p=[0.6, 0.3, 0.1]),
        random.integers(0, 2, rows),
        86_400.0 * random.integers(15_000, 20_000, rows),
        3_600.0 * random.integers(8, 20, rows),
        random.integers(3, 90, rows),
    )
    return np.column_stack(columns).astype(np.float64)


def scores_of(rows: int, seed: int = 0) -> Vector:
    return np.random.default_rng(seed).beta(2, 5, rows)


def reference_of(rows: int = 3_000, contract: Contract = MIXED) -> Reference:
    return make_reference(mixed_rows(rows), contract, scores_of(rows))


def window_of(features: Matrix, scores: Vector, contract: Contract = MIXED) -> Window:
    """Return rows of a model as the log's window holds them."""
    columns = {
        column.name: WindowColumn.of_numbers(features[:, at])
        if (names := names_of(column)) is None
        else WindowColumn.of_codes(features[:, at], names)
        for at, column in enumerate(contract.features)
        if not column.type.is_date
    }
    count = len(scores)
    score = {"probability": WindowColumn.of_numbers(scores)}
    return Window(count, "2026-01-09T12:00:00Z", "2026-01-10T12:00:00Z", count, columns, score)


def log_rows(
    sink: SqliteSink,
    version: str,
    probabilities: Vector,
    features: Mapping[str, list[Any]] | None = None,
    time: datetime = NOW,
    request: str = "r",
) -> None:
    """Write answered rows of a binary model."""
    answered = AnsweredRows(
        request,
        time,
        version,
        [f"{request}-{row}" for row in range(len(probabilities))],
        ["yes" if p >= 0.5 else "no" for p in probabilities],
        probabilities.tolist(),
        features,
    )
    for rows in encode(answered):
        sink.write(rows)
