"""The tables that Evidently compares: training and now, and the answers whose labels have arrived.

Of categories only published ones are named, as in the training reference; ids, dates and texts are left
out, but for the texts' lengths.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import UNSEEN, Codes, Vector, is_marker
from lightmodel.contract.columns import Contract
from lightmodel.contract.task import Task, TaskKind, label_name
from lightmodel.training.reference import ColumnReference, Reference, names_of, score_names
from lightmodel.watch.labelled import LabelledRows
from lightmodel.watch.window import WindowRows

ROWS = 5_000  # of each table: Evidently's time and the size of its page grow with them
OTHER, NEW = (
    "(other)",
    "(unseen)",
)  # categories that are not published, and those new since training
_SEED = 0


@dataclass(frozen=True)
class DriftTables:
    """The same columns in training and now: numbers, and names of categories."""

    reference: pa.Table
    current: pa.Table


@dataclass(frozen=True)
class LabelledTable:
    """Labelled answers.

    Attributes:
        table: label and decision (the answer), and a column for each score.
        task: binary, multiclass or regression.
        label: name of the column of labels.
        decision: name of the column of decisions.
        scores: names of the columns of scores, those of several classes named as these.
        positive: the positive label; None if there is none.
    """

    table: pa.Table
    task: str
    label: str
    decision: str
    scores: tuple[str, ...]
    positive: str | None

    def described(self) -> dict[str, Any]:
        """Return all but the table, in JSON's types."""
        return {
            "task": self.task,
            "label": self.label,
            "decision": self.decision,
            "scores": list(self.scores),
            "positive": self.positive,
        }


def drift_tables(
    reference: Reference, rows: WindowRows, contract: Contract, *, with_features: bool
) -> DriftTables:
    """Return the tables of the scores and, if wanted, of the features of the rows that have some.

    The reference holds columns, not rows: each column is drawn by itself. A column without any value in
    either table is left out.
    """
    count = min(ROWS, max((one.rows for one in reference.scores.values()), default=0))
    random = np.random.default_rng(_SEED)
    before: dict[str, pa.Array] = {}
    now: dict[str, pa.Array] = {}

    def add(
        name: str, column: ColumnReference, values: Vector, names: Sequence[str] | None
    ) -> None:
        cells = _cells(values, names, column.counts or {})
        drawn = _drawn(column, count, random)
        if drawn.null_count < len(drawn) and cells.null_count < len(cells):
            name = _unlike(name, before)
            before[name], now[name] = drawn, cells

    if with_features:
        for feature in contract.features:
            column = reference.features.get(feature.name)
            if column is not None and (column.numbers is not None or column.counts is not None):
                add(feature.name, column, rows.features[feature.name], names_of(feature))
    for name, values in rows.scores.items():
        if name in reference.scores:
            shown = values[rows.has_features] if with_features else values
            add(name, reference.scores[name], shown, None)
    return DriftTables(pa.table(before), pa.table(now))


def _harmless(name: str) -> str:
    """Return a name that ends no script: Evidently writes names into one as they are."""
    return name.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}")


def _unlike(name: str, taken: Iterable[str]) -> str:
    """Return a harmless name that is not taken: a feature may be called as a score is."""
    name, known = _harmless(name), set(taken)
    while name in known:
        name += "_"
    return name


def _cells(values: Vector, names: Sequence[str] | None, shown: Mapping[str, int]) -> pa.Array:
    """Return numbers, or the names of codes: published ones, OTHER or NEW; null where one is missing."""
    if names is None:
        return _numbers(values)
    texts = np.array(
        [_harmless(name) if name in shown else OTHER for name in names] + [NEW, None], object
    )
    codes = np.where(np.isnan(values), len(names) + 1, values).astype(np.int64)
    codes[is_marker(values, UNSEEN)] = len(names)
    return pa.array(texts[codes], pa.string())


def _numbers(values: Vector) -> pa.Array:
    return pa.array(values, pa.float64(), mask=~np.isfinite(values))


def _drawn(column: ColumnReference, count: int, random: np.random.Generator) -> pa.Array:
    """Draw a stratified sample of a column's values, in random order."""
    present = count - round(count * column.missing / max(1, column.rows))
    shares = (np.arange(present) + 0.5) / max(1, present)
    order = random.permutation(count)
    if column.numbers is not None:
        cells = np.full(count, np.nan)
        if column.numbers.count:
            places = np.searchsorted(column.numbers.upto, shares)
            cells[:present] = column.numbers.values[places]
        return _numbers(cells[order])
    names = [*map(_harmless, column.counts or {}), OTHER]
    counts = [*(column.counts or {}).values(), column.others]
    upto = np.cumsum(counts) / max(1, sum(counts))
    texts = np.full(count, None, object)
    texts[:present] = np.array(names, object)[np.searchsorted(upto, shares)]
    return pa.array(texts[order], pa.string())


def labelled_table(rows: LabelledRows, contract: Contract) -> LabelledTable:
    """Return the table of the last labelled rows."""
    last = rows.where(np.arange(len(rows)) >= len(rows) - ROWS)
    task, scores = contract.task, tuple(map(_harmless, score_names(contract)))
    label, decision = _unlike("label", scores), _unlike("decision", scores)
    columns = dict(zip(scores, np.atleast_2d(last.scores.T), strict=True))
    table = {name: _numbers(values) for name, values in columns.items()}
    if task.kind is TaskKind.REGRESSION:
        (decision,) = scores
        table[label] = _numbers(last.target)
    else:
        table[label] = _labels(last.target, task)
        table[decision] = _labels(last.decided, task)
    positive = None if task.positive is None else _harmless(label_name(task.positive))
    return LabelledTable(pa.table(table), str(task.kind), label, decision, scores, positive)


def _labels(codes: Vector | Codes, task: Task) -> pa.Array:
    names = np.array([_harmless(label_name(label)) for label in task.labels], object)
    return pa.array(names[codes.astype(np.int64)], pa.string())
