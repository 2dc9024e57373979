"""Fit the models of text columns, and score the training rows out of fold: none sees its own target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from lightmodel.contract.cells import Codes, Matrix, Vector
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.matrices import NewMatrix, empty_matrix
from lightmodel.contract.task import TaskKind, label_name
from lightmodel.learners.base import Folds, TrainingData
from lightmodel.tables.encode import feature_matrix
from lightmodel.training.ngrams import MAX_CHARACTERS, Spans, chunks
from lightmodel.training.texts import TextModel

MAX_SCORES = 16  # of a column: the most frequent classes
_BITS = 18  # of the buckets of a single score; several share them
_FITS = 5  # at most, besides the final one: folds are scored in groups
_MOST_CHARACTERS = 4_000_000  # of the texts that a model is fitted on
_PASSES, _CLASS_PENALTY, _NUMBER_PENALTY, _STEPS = 20, 1e-4, 0.5, 30


@dataclass(frozen=True)
class FittedTexts:
    """The models of all text columns.

    Attributes:
        models: by column, fitted on all training rows, for new rows.
        features: (rows, all features) of the training rows: the scores are out of fold.
    """

    models: dict[str, TextModel]
    features: Matrix


@dataclass(frozen=True)
class _Targets:
    """What the scores of a text are fitted to.

    Attributes:
        labels: as in `TextModel`.
        columns: (rows,) of each score: whether a row is of its class, or the number.
        seed: of the order in which rows are seen.
        weights: (rows,) weight of each row; None: all count the same.
    """

    labels: tuple[str, ...]
    columns: Sequence[Vector]
    is_class: bool
    seed: int
    weights: Vector | None = None

    @property
    def bits(self) -> int:
        """The number of bits of a bucket."""
        return _BITS - (len(self.columns) - 1).bit_length()


def fit_texts(
    table: pa.Table,
    contract: Contract,
    data: TrainingData,
    folds: Folds,
    seed: int,
    new_matrix: NewMatrix = empty_matrix,
) -> FittedTexts:
    """Fit a model of each text column on all rows, and score the rows out of fold.

    Args:
        table: the training rows.
        contract: with at least one text column.
        data: their target and weights.
        folds: of the training rows; by time, no row is scored by later ones.
        seed: of the order in which rows are seen.
        new_matrix: makes the matrix of features.
    """
    targets = replace(_targets(contract, data.target, seed), weights=data.weights)
    columns = [one.name for one in contract.features if one.type is ColumnType.TEXT]
    models = {name: _fit(table[name], targets, _every_row(table)) for name in columns}
    features = feature_matrix(table, contract, models, new_matrix)
    groups = list(_groups(folds.merged(_FITS)))
    end = len(contract.features)
    for name in columns:
        start, end = end, end + models[name].width
        only = contract.only({name})
        for fitted, held_out in groups:
            model = _fit(table[name], targets, fitted)
            rows = table.select([name]).take(pa.array(held_out))
            features[held_out, start:end] = feature_matrix(rows, only, {name: model})[:, 1:]
    return FittedTexts(models, features)


def _every_row(table: pa.Table) -> Codes:
    return np.arange(table.num_rows)


def _targets(contract: Contract, target: Vector, seed: int) -> _Targets:
    task = contract.task
    if not task.kind.has_classes:
        return _Targets((), [target], is_class=False, seed=seed)
    if task.kind is TaskKind.BINARY:
        return _Targets((), [target], is_class=True, seed=seed)
    counts = np.bincount(target.astype(np.int64), minlength=len(task.labels))
    codes = np.sort(np.argsort(-counts, kind="stable")[:MAX_SCORES])
    labels = tuple(label_name(task.labels[code]) for code in codes)
    return _Targets(labels, [(target == code).astype(float) for code in codes], True, seed)


def _groups(folds: Folds) -> Iterator[tuple[Codes, Codes]]:
    """Yield the rows to fit on and those to score, so that each row is scored once.

    By time, a row is scored by earlier ones; the first rows, which have none, by each other.
    """
    first = np.flatnonzero(folds.numbers < 0)
    for half in (first[::2], first[1::2]):
        if len(half):
            others = np.setdiff1d(first, half)
            yield others, half
    yield from map(folds.rows, range(folds.count))


def _fit(texts: pa.ChunkedArray, targets: _Targets, rows: Codes) -> TextModel:
    """Fit the model of a column on some rows, or on a part of them if they are many."""
    rows = rows[texts.is_valid().to_numpy()[rows]]
    lengths = np.minimum(pc.utf8_length(texts).fill_null(0).to_numpy()[rows], MAX_CHARACTERS)
    rows = rows[:: max(1, -(-int(lengths.sum()) // _MOST_CHARACTERS))]
    matrix = count_matrix(texts.take(pa.array(rows)).to_pylist(), targets.bits)
    weights = None if targets.weights is None else targets.weights[rows]
    fits = [_fit_score(matrix, column[rows], targets, weights) for column in targets.columns]
    coefficients, intercepts = zip(*fits, strict=True)
    return TextModel.of(targets.labels, np.array(coefficients), np.array(intercepts))


def count_matrix(texts: Sequence[str], bits: int) -> sp.csr_matrix:
    """Return (texts, buckets) counts of n-grams and words, over the root of their number."""
    nothing = (np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(1, np.int64))
    blocks = [sp.csr_matrix(nothing, shape=(0, 1 << bits))]
    for _, hashed in chunks(texts):
        spans = hashed.spans(bits)
        sizes = np.repeat(1 / np.sqrt(spans.counts), spans.counts).astype(np.float32)
        ends = np.concatenate([[0], np.cumsum(spans.counts)])
        block = sp.csr_matrix((sizes, _by_text(spans), ends), shape=(len(hashed), 1 << bits))
        block.sum_duplicates()
        blocks.append(block)
    matrix: sp.csr_matrix = sp.vstack(blocks, format="csr")
    return matrix


def _by_text(spans: Spans) -> npt.NDArray[np.int32]:
    """Return the buckets of the first text, of whatever kind, then those of the second, and so on."""
    first, counts = spans.first.T.ravel(), (spans.end - spans.first).T.ravel()
    steps = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    buckets = spans.buckets[np.repeat(first, counts) + steps]
    return np.asarray(buckets, dtype=np.int32)


def _fit_score(
    matrix: sp.csr_matrix, target: Vector, targets: _Targets, weights: Vector | None
) -> tuple[Vector, float]:
    """Return the weights and the intercept of one score: log-odds, or the number."""
    if len(np.unique(target)) < 2:
        return np.zeros(matrix.shape[1]), 0.0 if targets.is_class or not len(target) else target[0]
    from sklearn.linear_model import Ridge, SGDClassifier
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums would depend on the number of threads
        if targets.is_class:
            model = SGDClassifier(
                loss="log_loss",
                alpha=_CLASS_PENALTY,
                max_iter=_PASSES,
                tol=None,
                average=True,
                random_state=targets.seed,
            ).fit(matrix, target, sample_weight=weights)
        else:
            model = Ridge(_NUMBER_PENALTY, solver="sparse_cg", max_iter=_STEPS, tol=1e-3).fit(
                matrix, target, sample_weight=weights
            )
    return model.coef_.ravel(), float(np.ravel(model.intercept_)[0])
