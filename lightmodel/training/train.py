"""Train a model: folds, out-of-fold scores, decision threshold, final fit."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from lightmodel.config import SplitSection, TrainSection
from lightmodel.contract.cells import Codes, Scores
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.results import FoldFit, FoldReport, Importance, SampleRow
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError, DataError
from lightmodel.learners.base import Learner, Trainer, TrainingData
from lightmodel.progress import Progress
from lightmodel.store.codec import FoldCheckpoints
from lightmodel.tables.encode import feature_matrix, json_rows, target_vector
from lightmodel.training.calibration import Calibration, cross_fit_calibration, fit_calibration
from lightmodel.training.features import FeatureFunction, Predict, Processing, fit_features
from lightmodel.training.fit_texts import FittedTexts, fit_texts
from lightmodel.training.metrics import choose_threshold, measure
from lightmodel.training.split import Method, fold_numbers, row_keys, time_blocks, uniform_draws

SAMPLES = 5
_LIGHTGBM_LEAF = 20  # LightGBM's default of min_data_in_leaf
_FOLDS = 1  # a separate purpose of `uniform_draws`: folds must be independent of the split


@dataclass(frozen=True)
class TrainingResult:
    """The results of training.

    Attributes:
        learner: name of the learner that restores the payload.
        payload: payload of the final model.
        threshold: decision threshold (binary only).
        metrics: metrics of the pooled out-of-fold scores.
        importance: importance of each feature, in training order.
        samples: five training rows with the final model's scores.
        parameters: the learner's parameters in effect for this table.
        prior: the best constant prediction: (classes,) shares, the positive class' share, or the mean.
        out_of_fold: (rows,) or (rows, classes) scores of the training rows; NaN if no fold holds it out.
        warnings: of a model that has learnt nothing.
        constant: whether the model of each fold predicts the same for every row.
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
    steps: Processing
    out_of_fold: Scores = field(compare=False)
    warnings: tuple[str, ...] = ()
    constant: bool = False


@dataclass(frozen=True)
class TrainSpec:
    """How to train: the settings, the learner, checkpoints and progress.

    Attributes:
        checkpoints: store of finished folds; None to fit every fold.
        user_features: the user's function that adds features.
    """

    section: TrainSection
    split: SplitSection
    learner: Learner
    checkpoints: FoldCheckpoints | None
    progress: Progress
    user_features: FeatureFunction | None = None


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
    data, steps = extended_data(table, contract, spec)
    numbers = assign_folds(table, contract, spec.section, spec.split)
    trainer = spec.learner.prepare(data)
    fits = fit_folds(trainer, numbers, spec)
    scores = _out_of_fold(fits, numbers, data)
    covered = numbers >= 0
    scores, calibration = _calibrate(scores, numbers, data, spec.section)
    threshold = None
    if contract.task.kind is TaskKind.BINARY:
        codes = data.target[covered].astype(np.int64)
        threshold = choose_threshold(codes, scores[covered], spec.section)
    metrics = measure(data.kind, data.target[covered], scores[covered], threshold)
    steps = replace(steps, calibration=calibration)
    return CrossValidationResult(data, trainer, numbers, fits, scores, steps, threshold, metrics)


def _reject_calibrated_regression(contract: Contract, section: TrainSection) -> None:
    if section.calibration != "none" and not contract.task.kind.has_classes:
        raise ConfigError(
            f"train.calibration = {section.calibration!r} calibrates probabilities, but this "
            "task predicts a number",
            hint='set it to "none"',
        )


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
    calibrated[covered] = cross_fit_calibration(method, scores[covered], target, numbers[covered])
    return calibrated, fit_calibration(method, scores[covered], target)


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
        _reports(folds),
        model.importance(),
        _score_samples(table, folds.steps, folds.steps.wrap(model.predict)),
        folds.trainer.describe(),
        _prior(folds.data),
        folds.steps,
        folds.scores,
        (_constant_warning(folds),) if constant else (),
        constant,
    )


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


def _prior(data: TrainingData) -> tuple[float, ...]:
    if data.kind is TaskKind.MULTICLASS:
        counts = np.bincount(data.target.astype(np.int64), minlength=data.classes)
        return tuple((counts / len(data.target)).tolist())
    return (float(data.target.mean()),)


def training_data(table: pa.Table, contract: Contract) -> TrainingData:
    """Return training rows in the form that learners take."""
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
) -> tuple[TrainingData, Processing]:
    """Return the training data with all added features, and the processing that adds them.

    Raises:
        ConfigError: the settings do not suit the table.
    """
    _reject_calibrated_regression(contract, spec.section)
    data = training_data(table, contract)
    scored = _score_texts(table, contract, data, spec)
    features, texts = scored.features, scored.models
    steps = fit_features(features, contract, spec.section.features, spec.user_features, texts)
    features = steps.extend(features, training=True)
    return replace(data, features=features, names=steps.feature_names), steps


def _score_texts(
    table: pa.Table, contract: Contract, data: TrainingData, spec: TrainSpec
) -> FittedTexts:
    """Return the models of the text columns, and the features with their scores out of fold."""
    if not any(column.type is ColumnType.TEXT for column in contract.features):
        return FittedTexts({}, data.features)
    return fit_texts(
        table,
        contract,
        data.target,
        assign_folds(table, contract, spec.section, spec.split),
        by_time=spec.split.method.startswith("time:"),
        seed=spec.section.seed,
    )


def assign_folds(
    table: pa.Table, contract: Contract, section: TrainSection, split: SplitSection
) -> Codes:
    """Return (rows,) the number of the fold that holds each row out, from 0; -1 for none."""
    method = Method.parse(split.method, has_classes=contract.task.kind.has_classes)
    if method.kind == "time":
        numbers = time_blocks(table[method.column], section.folds)
    else:
        classes = None
        if method.kind == "stratified" and contract.task.kind.has_classes:
            classes = target_vector(table[contract.target.name], contract.task)
        draws = uniform_draws(row_keys(table, contract, method), section.seed, _FOLDS)
        numbers = fold_numbers(draws, section.folds, classes)
    used = np.unique(numbers[numbers >= 0])
    if len(used) < 2:
        raise DataError(
            "the training rows do not fill two folds",
            hint="use more rows, or another split.method",
        )
    return np.where(numbers >= 0, np.searchsorted(used, numbers), numbers)  # without empty folds


def fold_rows(numbers: Codes, fold: int, split: SplitSection) -> tuple[Codes, Codes]:
    """Return the rows that a fold trains on, and those that it holds out; never later rows by time."""
    is_train = numbers < fold if split.method.startswith("time:") else numbers != fold
    return np.flatnonzero(is_train), np.flatnonzero(numbers == fold)


def fit_folds(trainer: Trainer, numbers: Codes, spec: TrainSpec) -> list[FoldFit]:
    """Fit all folds, as many in parallel as the learner allows; use checkpoints of finished ones."""
    count = int(numbers.max()) + 1

    def fit(fold: int) -> FoldFit:
        fitted = spec.checkpoints.load(fold) if spec.checkpoints else None
        if fitted is None:
            fitted = trainer.fit_fold(*fold_rows(numbers, fold, spec.split))
            if spec.checkpoints:
                spec.checkpoints.save(fold, fitted)
        advance(1)
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


def _reports(folds: CrossValidationResult) -> tuple[FoldReport, ...]:
    reports = []
    for fold, fit in enumerate(folds.fits):
        rows = np.flatnonzero(folds.numbers == fold)
        target, scores = folds.data.target[rows], folds.scores[rows]
        metrics = measure(folds.data.kind, target, scores, folds.threshold)
        curves = fit.curve, fit.train_curve
        reports.append(FoldReport(fold + 1, len(rows), fit.rounds, metrics, *curves, fit.diverged))
    return tuple(reports)


def _score_samples(table: pa.Table, steps: Processing, predict: Predict) -> tuple[SampleRow, ...]:
    """Score the first rows as the service will: from JSON values, without target or ignored columns."""
    contract = steps.contract
    ids = (contract.id.name,) if contract.id else ()
    first = table.select((*ids, *contract.feature_names)).slice(0, SAMPLES)
    scores = predict(feature_matrix(first, contract, steps.texts))
    return tuple(
        SampleRow(row, tuple(np.atleast_1d(score).tolist()))
        for row, score in zip(json_rows(first), scores, strict=True)
    )
