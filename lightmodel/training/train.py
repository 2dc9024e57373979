"""From training rows to a model: folds, out-of-fold scores, threshold, final fit."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from lightmodel.config import SplitSection, TrainSection
from lightmodel.contract.cells import Codes, Scores
from lightmodel.contract.columns import Contract
from lightmodel.contract.results import FoldFit, FoldReport, Importance, SampleRow
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError, DataError
from lightmodel.learners.base import Learner, Trainer, TrainingData
from lightmodel.progress import Progress
from lightmodel.store.codec import FoldCheckpoints
from lightmodel.tables.encode import feature_matrix, json_rows, target_vector
from lightmodel.training.calibration import Calibration, cross_fitted, fit_calibration
from lightmodel.training.features import OwnFeatures, Predict, Steps, fit_features
from lightmodel.training.metrics import choose_threshold, measure
from lightmodel.training.split import Method, fold_numbers, row_keys, time_blocks, uniform

SAMPLES = 5
_FOLDS = 1  # a purpose of `uniform` of its own: folds must not follow the split


@dataclass(frozen=True)
class Trained:
    """The results of training.

    Attributes:
        learner: name of the learner that reads the payload.
        payload: of the final model.
        threshold: decision threshold (binary only).
        metrics: of the pooled out-of-fold scores.
        importance: of each feature, in training order.
        samples: five training rows with the final model's scores.
        parameters: of the learner, as it settled them for this table.
        prior: the best constant answer: (classes,) shares, the positive's alone (binary), or the mean.
        out_of_fold: (rows,) or (rows, classes) scores of the training rows; NaN for a row of no fold.
    """

    learner: str
    payload: dict[str, Any]
    threshold: float | None
    metrics: dict[str, float]
    folds: tuple[FoldReport, ...]
    importance: tuple[Importance, ...]
    samples: tuple[SampleRow, ...]
    parameters: Mapping[str, Any]
    prior: tuple[float, ...]
    steps: Steps
    out_of_fold: Scores = field(compare=False)


@dataclass(frozen=True)
class TrainSpec:
    """How to train: settings, and what fits, remembers and reports.

    Attributes:
        checkpoints: remembers finished folds; None where every fold is fitted anew.
        own: the user's function that adds features.
    """

    section: TrainSection
    split: SplitSection
    learner: Learner
    checkpoints: FoldCheckpoints | None
    progress: Progress
    own: OwnFeatures | None = None


@dataclass(frozen=True)
class CrossValidated:
    """The folds of a table, fitted and scored.

    Attributes:
        numbers: (rows,) the fold that holds each row out, -1 for none.
        scores: out of fold, corrected where the settings ask for that; NaN for a row of no fold.
        threshold: decision threshold (binary only).
        metrics: of the pooled out-of-fold scores.
    """

    data: TrainingData
    trainer: Trainer
    numbers: Codes
    fits: Sequence[FoldFit]
    scores: Scores
    steps: Steps
    threshold: float | None
    metrics: dict[str, float]


def cross_validate(table: pa.Table, contract: Contract, spec: TrainSpec) -> CrossValidated:
    """Fit the folds on the training rows, choose the threshold and score out of fold; make no model.

    Raises:
        ConfigError: the settings do not suit the table.
    """
    data, steps = extended_data(table, contract, spec)
    numbers = assign_folds(table, contract, spec.section, spec.split)
    trainer = spec.learner.prepare(data)
    fits = fit_folds(trainer, numbers, spec)
    scores = _out_of_fold(fits, numbers, data)
    covered = numbers >= 0
    scores, calibration = _calibrated(scores, numbers, data, spec.section)
    threshold = None
    if contract.task.kind is TaskKind.BINARY:
        codes = data.target[covered].astype(np.int64)
        threshold = choose_threshold(codes, scores[covered], spec.section)
    metrics = measure(data.kind, data.target[covered], scores[covered], threshold)
    steps = replace(steps, calibration=calibration)
    return CrossValidated(data, trainer, numbers, fits, scores, steps, threshold, metrics)


def _refuse_calibrating_numbers(contract: Contract, section: TrainSection) -> None:
    if section.calibration != "none" and not contract.task.kind.has_classes:
        raise ConfigError(
            f"train.calibration = {section.calibration!r} corrects probabilities, and this task "
            "predicts a number",
            hint='leave it at "none"',
        )


def _calibrated(
    scores: Scores, numbers: Codes, data: TrainingData, section: TrainSection
) -> tuple[Scores, Calibration | None]:
    """Correct out-of-fold scores, each fold's by the others; give also what corrects new scores."""
    method = section.calibration
    if method == "none":
        return scores, None
    covered = numbers >= 0
    target = data.target[covered].astype(np.int64)
    corrected = scores.copy()
    corrected[covered] = cross_fitted(method, scores[covered], target, numbers[covered])
    return corrected, fit_calibration(method, scores[covered], target)


def train(table: pa.Table, contract: Contract, spec: TrainSpec) -> Trained:
    """Cross-validate on the training rows, choose the threshold, and fit the final model."""
    found = cross_validate(table, contract, spec)
    fit = found.trainer.refit if spec.section.final == "refit" else found.trainer.ensemble
    model = fit(found.fits)
    return Trained(
        spec.learner.name,
        model.payload(),
        found.threshold,
        found.metrics,
        _reports(found),
        model.importance(),
        _score_samples(table, contract, found.steps.around(model.predict)),
        found.trainer.describe(),
        _prior(found.data),
        found.steps,
        found.scores,
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


def extended_data(
    table: pa.Table, contract: Contract, spec: TrainSpec
) -> tuple[TrainingData, Steps]:
    """Do the same with the features that the settings add; return also what adds them to other rows.

    Raises:
        ConfigError: the settings do not suit the table.
    """
    _refuse_calibrating_numbers(contract, spec.section)
    data = training_data(table, contract)
    steps = fit_features(data.features, contract, spec.section.features, spec.own)
    features = steps.extend(data.features, training=True)
    return replace(data, features=features, names=steps.feature_names), steps


def assign_folds(
    table: pa.Table, contract: Contract, section: TrainSection, split: SplitSection
) -> Codes:
    """Return each row the fold that holds it out, counted from 0; -1 for none."""
    method = Method.parse(split.method, has_classes=contract.task.kind.has_classes)
    if method.kind == "time":
        numbers = time_blocks(table[method.column], section.folds)
    else:
        classes = None
        if method.kind == "stratified" and contract.task.kind.has_classes:
            classes = target_vector(table[contract.target.name], contract.task)
        draws = uniform(row_keys(table, contract, method), section.seed, _FOLDS)
        numbers = fold_numbers(draws, section.folds, classes)
    used = np.unique(numbers[numbers >= 0])
    if len(used) < 2:
        raise DataError(
            "the training rows do not fill two folds",
            hint="use more rows, or another split.method",
        )
    packed = np.searchsorted(used, numbers)
    return np.where(numbers >= 0, packed, numbers)


def fold_rows(numbers: Codes, fold: int, split: SplitSection) -> tuple[Codes, Codes]:
    """Return the rows that a fold trains on and those that it holds out; time never looks ahead."""
    kept = numbers < fold if split.method.startswith("time:") else numbers != fold
    return np.flatnonzero(kept), np.flatnonzero(numbers == fold)


def fit_folds(trainer: Trainer, numbers: Codes, spec: TrainSpec) -> list[FoldFit]:
    """Fit every fold, as many at a time as the learner can, leaving out those finished before."""
    count = int(numbers.max()) + 1

    def fit(fold: int) -> FoldFit:
        done = spec.checkpoints.load(fold) if spec.checkpoints else None
        if done is None:
            done = trainer.fit_fold(*fold_rows(numbers, fold, spec.split))
            if spec.checkpoints:
                spec.checkpoints.save(fold, done)
        advance(1)
        return done

    with spec.progress.task("cross-validation", total=count, unit="folds") as advance:
        pool = ThreadPoolExecutor(spec.learner.folds_at_once, thread_name_prefix="fold")
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


def _reports(found: CrossValidated) -> tuple[FoldReport, ...]:
    reports = []
    for fold, fit in enumerate(found.fits):
        rows = np.flatnonzero(found.numbers == fold)
        target, scores = found.data.target[rows], found.scores[rows]
        metrics = measure(found.data.kind, target, scores, found.threshold)
        curves = fit.curve, fit.train_curve
        reports.append(FoldReport(fold + 1, len(rows), fit.rounds, metrics, *curves))
    return tuple(reports)


def _score_samples(table: pa.Table, contract: Contract, predict: Predict) -> tuple[SampleRow, ...]:
    """Score the first rows as a server will: from JSON's values, without target and ignored columns."""
    ids = (contract.id.name,) if contract.id else ()
    few = table.select((*ids, *contract.feature_names)).slice(0, SAMPLES)
    scores = predict(feature_matrix(few, contract))
    return tuple(
        SampleRow(row, tuple(np.atleast_1d(score).tolist()))
        for row, score in zip(json_rows(few), scores, strict=True)
    )
