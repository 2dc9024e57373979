"""Train a model: cross-validate, fit the final model, and score a few samples with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Scores
from lightmodel.contract.columns import Contract
from lightmodel.contract.loss_values import best_constant
from lightmodel.contract.results import FoldFit, FoldReport, Importance, SampleRow
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData
from lightmodel.tables.encode import feature_matrix, json_rows
from lightmodel.training.cross_validation import CrossValidationResult, TrainSpec, cross_validate
from lightmodel.training.features import Predict, Processing
from lightmodel.training.metrics import measure
from lightmodel.training.reference import Reference, make_reference
from lightmodel.training.sample_rows import synthetic_rows

SAMPLES = 5
_LIGHTGBM_LEAF = 20  # LightGBM's default of min_data_in_leaf


@dataclass(frozen=True)
class TrainingResult:
    """The results of training.

    Attributes:
        learner: name of the learner that restores the payload.
        payload: payload of the final model.
        threshold: decision threshold (binary only).
        metrics: metrics of the pooled out-of-fold scores.
        importance: importance of each feature, in training order.
        samples: five rows with the final model's scores, made up unless `train.sample_rows` is "real".
        parameters: the learner's parameters in effect for this table.
        task: with the loss that was lowered.
        prior: the best constant prediction: (classes,) shares, the positive class' share, or a number.
        out_of_fold: (rows,) or (rows, classes) scores of the training rows; NaN if no fold holds it out.
        warnings: of a model that has learnt nothing.
        constant: whether the model of each fold predicts the same for every row.
        reference: what later rows are compared with, to measure drift.
    """

    learner: str
    payload: dict[str, Any]
    threshold: float | None
    metrics: dict[str, float]
    folds: tuple[FoldReport, ...]
    importance: tuple[Importance, ...]
    samples: tuple[SampleRow, ...]
    parameters: Mapping[str, Any]
    task: Task
    prior: tuple[float, ...]
    steps: Processing
    out_of_fold: Scores = field(compare=False)
    reference: Reference = field(compare=False)
    warnings: tuple[str, ...] = ()
    constant: bool = False


def train(table: pa.Table, contract: Contract, spec: TrainSpec) -> TrainingResult:
    """Cross-validate, as `cross_validate` does, and fit the final model."""
    folds = cross_validate(table, contract, spec)
    fit = folds.trainer.refit if spec.section.final == "refit" else folds.trainer.ensemble
    model, constant = fit(folds.fits), _are_constant(folds.fits)
    return TrainingResult(
        spec.learner.name,
        model.payload(),
        folds.threshold,
        folds.metrics,
        fold_reports(folds),
        model.importance(),
        _score_samples(_sample_rows(table, folds.steps, spec.section), folds.steps, model.predict),
        folds.trainer.describe(),
        folds.data.task,
        _prior(folds.data),
        folds.steps,
        folds.scores,
        make_reference(folds.data.features, contract, folds.scores),
        (_constant_warning(folds),) if constant else (),
        constant,
    )


def fold_reports(folds: CrossValidationResult) -> tuple[FoldReport, ...]:
    """Return rows, rounds and metrics of each fold."""
    reports = []
    for fold, fit in enumerate(folds.fits):
        rows = np.flatnonzero(folds.numbers == fold)
        target, scores = folds.data.target[rows], folds.scores[rows]
        weights = folds.data.weights_of(rows)
        metrics = measure(folds.data.task, target, scores, folds.threshold, weights)
        curves = fit.curve, fit.train_curve
        reports.append(FoldReport(fold + 1, len(rows), fit.rounds, metrics, *curves, fit.diverged))
    return tuple(reports)


def _sample_rows(table: pa.Table, steps: Processing, section: TrainSection) -> pa.Table:
    """Return the sample rows, without target and unused columns."""
    contract = steps.contract
    others = contract.others if steps.takes_table else filter(None, [contract.id])
    names = dict.fromkeys((*(one.name for one in others), *contract.feature_names))
    known = table.select(list(names))
    if section.sample_rows == "real":
        return known.slice(0, SAMPLES)
    return synthetic_rows(known, contract, SAMPLES, section.seed)


def _score_samples(rows: pa.Table, steps: Processing, predict: Predict) -> tuple[SampleRow, ...]:
    """Score the sample rows as the service will: from JSON values.

    Raises:
        ConfigError: the user's function fails for them.
    """
    features = feature_matrix(rows, steps.contract, steps.texts)
    try:
        scores = steps.wrap(predict)(features, *steps.others_of(rows))
    except ConfigError as error:
        raise ConfigError(
            f"{error.message}, for the sample rows that are stored with the model",
            hint="a request may hold any row that satisfies the contract, as these do: let features() "
            'return missing values for what cannot be; or set train.sample_rows = "real"',
        ) from error
    return tuple(
        SampleRow(row, tuple(np.atleast_1d(score).tolist()))
        for row, score in zip(json_rows(rows), scores, strict=True)
    )


def _prior(data: TrainingData) -> tuple[float, ...]:
    if data.kind is TaskKind.MULTICLASS:
        counts = np.bincount(data.target.astype(np.int64), data.weights, data.classes)
        return tuple((counts / counts.sum()).tolist())
    if data.kind is TaskKind.REGRESSION:
        return (best_constant(data.task.loss, data.target, data.weights),)
    return (float(np.average(data.target, weights=data.weights)),)


def _are_constant(fits: Sequence[FoldFit]) -> bool:
    """Return whether the model of each fold predicts the same for all rows that it holds out."""
    scores = [fit.scores for fit in fits if len(fit.scores) > 1]
    return bool(scores) and not any(np.ptp(one, axis=0).any() for one in scores)


def _constant_warning(folds: CrossValidationResult) -> str:
    """Return the warning that the models of the folds are constant.

    Pooled scores then differ only from fold to fold, with the classes of the other folds: an AUC of them
    may be 0, though no row was mistaken for another.
    """
    fitted = len(folds.data.target) - min(len(fit.scores) for fit in folds.fits)
    what = "in each fold the model predicts the same for every row, so the metrics out of fold say nothing"
    return f"{what}{_why_constant(folds.trainer.describe(), fitted)}"


def _why_constant(parameters: Mapping[str, Any], rows: int) -> str:
    """Return why LightGBM cannot split so few rows, and what to do; else that no feature helps."""
    leaf = parameters.get("min_data_in_leaf", _LIGHTGBM_LEAF)
    if parameters.get("estimator") != "lightgbm" or rows >= 2 * leaf:
        return ": no feature helps to predict the target"
    smaller = f"train.parameters = {{min_data_in_leaf = {max(1, rows // 10)}}}"
    return (
        f": {rows} rows are too few to split, for each of two leaves needs {leaf}; get more rows, "
        f"or set {smaller}"
    )
