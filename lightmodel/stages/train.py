"""From training rows to a model: folds, out-of-fold scores, threshold, final fit."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lightmodel.config import SplitSection, TrainSection
from lightmodel.domain.arrays import Codes, Matrix, Scores, Vector
from lightmodel.domain.contract import Contract
from lightmodel.domain.encoding import feature_matrix, plain_rows, target_vector
from lightmodel.domain.results import FoldFit, FoldReport, Importance, SampleRow
from lightmodel.domain.task import TaskKind
from lightmodel.errors import DataError
from lightmodel.ports.checkpoints import Checkpoints
from lightmodel.ports.learner import FittedModel, Learner, Trainer, TrainingData
from lightmodel.ports.progress import Progress
from lightmodel.stages.scoring import measure
from lightmodel.stages.sides import Method, fold_numbers, row_keys, time_blocks, uniform
from lightmodel.stages.threshold import choose_threshold

SAMPLES = 5
_FOLDS = 1  # a purpose of `uniform` of its own: folds must not follow the split


@dataclass(frozen=True)
class Trained:
    """What training found out.

    Attributes:
        payload: of the final model.
        threshold: decision threshold (binary only).
        metrics: of the pooled out-of-fold scores.
        folds: one report each.
        importance: of each feature, in training order.
        samples: five training rows with the final model's scores.
        parameters: of the learner, as it settled them for this table.
        prior: the best constant answer: (classes,) shares, the positive's alone (binary), or the mean.
    """

    payload: dict[str, Any]
    threshold: float | None
    metrics: dict[str, float]
    folds: tuple[FoldReport, ...]
    importance: tuple[Importance, ...]
    samples: tuple[SampleRow, ...]
    parameters: Mapping[str, Any]
    prior: tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """How to train: settings, and what fits, remembers and reports."""

    section: TrainSection
    split: SplitSection
    learner: Learner
    checkpoints: Checkpoints
    progress: Progress


@dataclass(frozen=True)
class CrossValidated:
    """The folds of a table, fitted and scored.

    Attributes:
        trainer: holds the table.
        numbers: (rows,) the fold that holds each row out, -1 for none.
        fits: one for each fold.
        threshold: decision threshold (binary only).
        metrics: of the pooled out-of-fold scores.
    """

    data: TrainingData
    trainer: Trainer
    numbers: Codes
    fits: Sequence[FoldFit]
    threshold: float | None
    metrics: dict[str, float]


def cross_validate(table: pa.Table, contract: Contract, recipe: Recipe) -> CrossValidated:
    """Fit the folds, choose the threshold and score out of fold; no model is made.

    Args:
        table: the training rows, in the contract's types.
        contract: of the split.
        recipe: how.
    """
    data = training_data(table, contract)
    numbers = assign_folds(table, contract, recipe)
    trainer = recipe.learner.prepare(data)
    fits = fit_folds(trainer, numbers, recipe)
    scores = _out_of_fold(fits, numbers, data)
    covered = ~np.isnan(scores if scores.ndim == 1 else scores[:, 0])
    threshold = None
    if contract.task.kind is TaskKind.BINARY:
        codes = data.target[covered].astype(np.int64)
        threshold = choose_threshold(codes, scores[covered], recipe.section)
    metrics = measure(data.kind, data.target[covered], scores[covered], threshold)
    return CrossValidated(data, trainer, numbers, fits, threshold, metrics)


def train(table: pa.Table, contract: Contract, recipe: Recipe) -> Trained:
    """Cross-validate, choose the threshold, and fit the final model.

    Args:
        table: the training rows, in the contract's types.
        contract: of the split.
        recipe: how.
    """
    found = cross_validate(table, contract, recipe)
    fit = found.trainer.refit if recipe.section.final == "refit" else found.trainer.ensemble
    model = fit(found.fits)
    return Trained(
        model.payload(),
        found.threshold,
        found.metrics,
        tuple(_reports(found)),
        model.importance(),
        score_samples(table, contract, model),
        found.trainer.describe(),
        _prior(found.data),
    )


def _prior(data: TrainingData) -> tuple[float, ...]:
    if data.kind is TaskKind.MULTICLASS:
        counts = np.bincount(data.target.astype(np.int64), minlength=data.classes)
        return tuple((counts / len(data.target)).tolist())
    return (float(data.target.mean()),)


def training_data(table: pa.Table, contract: Contract) -> TrainingData:
    """Turn training rows into what learners take."""
    return TrainingData(
        feature_matrix(table, contract),
        target_vector(table[contract.target.name], contract.task),
        contract.feature_names,
        contract.categorical,
        contract.task.kind,
        len(contract.task.labels),
    )


def assign_folds(table: pa.Table, contract: Contract, recipe: Recipe) -> Codes:
    """Give each row the fold that holds it out, counted from 0; -1 for none."""
    method = Method.parse(recipe.split.method, has_classes=contract.task.kind.has_classes)
    if method.kind == "time":
        numbers = time_blocks(table[method.column], recipe.section.folds)
    else:
        classes = None
        if method.kind == "stratified":
            classes = target_vector(table[contract.target.name], contract.task)
        draws = uniform(row_keys(table, contract, method), recipe.section.seed, _FOLDS)
        numbers = fold_numbers(draws, recipe.section.folds, classes)
    used = np.unique(numbers[numbers >= 0])
    if len(used) < 2:
        raise DataError(
            "the training rows do not fill two folds",
            hint="use more rows, or another split.method",
        )
    packed = np.searchsorted(used, numbers)
    return np.where(numbers >= 0, packed, numbers)


def fold_rows(numbers: Codes, fold: int, *, by_time: bool) -> tuple[Codes, Codes]:
    """Give the rows that a fold trains on and those that it holds out; time never looks ahead."""
    kept = numbers < fold if by_time else numbers != fold
    return np.flatnonzero(kept), np.flatnonzero(numbers == fold)


def fit_folds(trainer: Trainer, numbers: Codes, recipe: Recipe) -> list[FoldFit]:
    """Fit every fold, as many at a time as the learner can, leaving out those finished before."""
    count = int(numbers.max()) + 1
    by_time = recipe.split.method.startswith("time:")

    def fit(fold: int) -> FoldFit:
        done = recipe.checkpoints.load(fold)
        if done is None:
            done = trainer.fit_fold(*fold_rows(numbers, fold, by_time=by_time))
            recipe.checkpoints.save(fold, done)
        steps.advance()
        return done

    with recipe.progress.task("cross-validation", total=count, unit="folds") as steps:
        pool = ThreadPoolExecutor(recipe.learner.folds_at_once, thread_name_prefix="fold")
        try:
            return list(pool.map(fit, range(count)))
        except BaseException:
            trainer.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _out_of_fold(fits: Sequence[FoldFit], numbers: Codes, data: TrainingData) -> Scores:
    shape = (len(numbers), data.classes) if data.kind is TaskKind.MULTICLASS else len(numbers)
    scores = np.full(shape, np.nan)
    for fold, fit in enumerate(fits):
        scores[numbers == fold] = fit.scores
    return scores


def _reports(found: CrossValidated) -> list[FoldReport]:
    reports = []
    for fold, fit in enumerate(found.fits):
        target: Vector = found.data.target[found.numbers == fold]
        metrics = measure(found.data.kind, target, fit.scores, found.threshold)
        reports.append(FoldReport(fold + 1, len(target), fit.rounds, metrics, fit.curve))
    return reports


def score_samples(table: pa.Table, contract: Contract, model: FittedModel) -> tuple[SampleRow, ...]:
    """Score the first rows as a server will: from JSON's values, without target and ignored columns."""
    names = [column.name for column in contract.columns if column in contract.features]
    if contract.id:
        names.insert(0, contract.id.name)
    few = table.select(names).slice(0, SAMPLES)
    matrix: Matrix = feature_matrix(few, contract)
    scores = model.predict(matrix)
    rows = plain_rows(few)
    return tuple(
        SampleRow(row, tuple(np.atleast_1d(score).tolist()))
        for row, score in zip(rows, scores, strict=True)
    )
