"""Cross-validate: fit the folds, score each row out of fold, calibrate, and choose the threshold."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from lightmodel.config import SplitSection, TrainSection
from lightmodel.contract.cells import Codes, Scores
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.loss_values import check_target
from lightmodel.contract.results import FoldFit
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError
from lightmodel.interruption import raise_if_interrupted
from lightmodel.learners.base import Folds, Learner, Trainer, TrainingData
from lightmodel.progress import Progress
from lightmodel.store.codec import FoldCheckpoints
from lightmodel.tables.encode import feature_matrix, target_vector
from lightmodel.tables.other_columns import other_columns
from lightmodel.training.calibration import Calibration, cross_fit_calibration, fit_calibration
from lightmodel.training.features import Processing, fit_features
from lightmodel.training.fit_texts import FittedTexts, fit_texts
from lightmodel.training.folds import assign_folds
from lightmodel.training.metrics import choose_threshold, measure
from lightmodel.training.objective import with_loss
from lightmodel.training.user_features import FeatureFunction, takes_table
from lightmodel.training.weights import fitting_weights, row_weights

FoldListener = Callable[[FoldFit, int, int], None]


def ignore_fold(fit: FoldFit, fold: int, folds: int) -> None:
    """Do nothing about a fold that has ended."""
    del fit, fold, folds


@dataclass(frozen=True)
class TrainSpec:
    """How to train: the settings, the learner, checkpoints and progress.

    Attributes:
        checkpoints: store of finished folds; None to fit every fold.
        user_features: the user's function that adds features.
        on_fold: is called with each fold that has ended, its number from 0, and the number of all.
    """

    section: TrainSection
    split: SplitSection
    learner: Learner
    checkpoints: FoldCheckpoints | None
    progress: Progress
    user_features: FeatureFunction | None = None
    on_fold: FoldListener = ignore_fold


@dataclass(frozen=True)
class CrossValidationResult:
    """The folds of a table, fitted and scored.

    Attributes:
        numbers: (rows,) number of the fold that holds each row out, -1 for none.
        scores: out-of-fold scores, calibrated if set so; NaN for a row that no fold holds out.
        threshold: decision threshold (binary only).
        metrics: metrics of the pooled out-of-fold scores.
    """

    data: TrainingData
    trainer: Trainer
    numbers: Codes
    fits: Sequence[FoldFit]
    scores: Scores
    steps: Processing
    threshold: float | None
    metrics: dict[str, float]


def cross_validate(table: pa.Table, contract: Contract, spec: TrainSpec) -> CrossValidationResult:
    """Fit the folds, score out of fold and choose the threshold, without a final model.

    Raises:
        ConfigError: the settings do not suit the table.
    """
    folds = assign_folds(table, contract, spec.section, spec.split)
    data, steps = extended_data(table, contract, spec, folds)
    numbers = folds.numbers
    trainer = spec.learner.prepare(data)
    fits = fit_folds(trainer, folds, spec)
    scores = _out_of_fold(fits, numbers, data)
    covered = numbers >= 0
    scores, calibration = _calibrate(scores, numbers, data, spec.section)
    weights = data.weights_of(covered)
    threshold = None
    if contract.task.kind is TaskKind.BINARY:
        codes = data.target[covered].astype(np.int64)
        threshold = choose_threshold(codes, scores[covered], spec.section, weights)
    metrics = measure(data.task, data.target[covered], scores[covered], threshold, weights)
    steps = replace(steps, calibration=calibration)
    return CrossValidationResult(data, trainer, numbers, fits, scores, steps, threshold, metrics)


def extended_data(
    table: pa.Table, contract: Contract, spec: TrainSpec, folds: Folds
) -> tuple[TrainingData, Processing]:
    """Return the training data with all added features and its folds, and the processing that adds them.

    Raises:
        ConfigError: the settings do not suit the table.
    """
    section = spec.section
    _reject_calibrated_regression(contract, section)
    data = training_data(table, contract)
    task, weights = with_loss(data.task, spec.section), row_weights(table, contract, section.weight)
    fitted = fitting_weights(weights, data.target, task, section)
    data = replace(data, task=task, weights=weights, fit_weights=fitted)
    if data.kind is TaskKind.REGRESSION:
        check_target(data.task.loss, data.target, contract.target.name)
    scored = _score_texts(table, contract, data, folds, section.seed)
    features, texts = scored.features, scored.models
    others = None
    if spec.user_features and takes_table(spec.user_features):
        others = other_columns(table, contract).table
    steps = fit_features(features, contract, section.features, spec.user_features, texts, others)
    features = steps.extend(features, others, training=True)
    return replace(data, features=features, names=steps.feature_names, folds=folds), steps


def _reject_calibrated_regression(contract: Contract, section: TrainSection) -> None:
    if section.calibration != "none" and not contract.task.kind.has_classes:
        raise ConfigError(
            f"train.calibration = {section.calibration!r} calibrates probabilities, but this "
            "task predicts a number",
            hint='set it to "none"',
        )


def training_data(table: pa.Table, contract: Contract) -> TrainingData:
    """Return training rows in the form that learners take."""
    return TrainingData(
        feature_matrix(table, contract),
        target_vector(table[contract.target.name], contract.task),
        contract.feature_names,
        contract.categorical,
        contract.task,
    )


def _score_texts(
    table: pa.Table, contract: Contract, data: TrainingData, folds: Folds, seed: int
) -> FittedTexts:
    """Return the models of the text columns, and the features with their scores out of fold."""
    if not any(column.type is ColumnType.TEXT for column in contract.features):
        return FittedTexts({}, data.features)
    return fit_texts(table, contract, data.target, folds, seed, data.weights)


def fit_folds(trainer: Trainer, folds: Folds, spec: TrainSpec) -> list[FoldFit]:
    """Fit all folds, as many in parallel as the learner allows; use checkpoints of finished ones."""
    count = folds.count

    def fit(fold: int) -> FoldFit:
        fitted = spec.checkpoints.load(fold) if spec.checkpoints else None
        if fitted is None:
            fitted = trainer.fit_fold(*folds.rows(fold))
            if spec.checkpoints:
                spec.checkpoints.save(fold, fitted)
        advance(1)
        spec.on_fold(fitted, fold, count)
        raise_if_interrupted()
        return fitted

    with spec.progress.task("cross-validation", total=count, unit="folds") as advance:
        pool = ThreadPoolExecutor(spec.learner.parallel_folds, thread_name_prefix="fold")
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


def _calibrate(
    scores: Scores, numbers: Codes, data: TrainingData, section: TrainSection
) -> tuple[Scores, Calibration | None]:
    """Return cross-fitted out-of-fold scores, and the calibration for new scores."""
    method = section.calibration
    if method == "none":
        return scores, None
    covered = numbers >= 0
    target = data.target[covered].astype(np.int64)
    calibrated = scores.copy()
    weights = data.weights_of(covered)
    calibrated[covered] = cross_fit_calibration(
        method, scores[covered], target, numbers[covered], weights
    )
    return calibrated, fit_calibration(method, scores[covered], target, weights)
