"""Metrics with bootstrap intervals, and the choice of the decision threshold.

The rows and their bootstrap resamples go through the same formulas: a resample is a weight for each row,
and every metric here is a function of weighted sums (the AUC, of weighted ranks), so that hundreds of
resamples cost little.
"""

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Codes, Scores, Vector
from lightmodel.contract.loss_values import row_losses
from lightmodel.contract.losses import Loss
from lightmodel.contract.results import Interval
from lightmodel.contract.task import Task, TaskKind

_CHUNK = 4_000_000  # weights in memory at a time
_TINY = 1e-15

Weights = npt.NDArray[np.float64]  # (resamples, rows)
Metrics = dict[str, Vector]  # name → (resamples,)


def predicted_codes(scores: Scores, threshold: float | None) -> Codes:
    """Return (rows,) the class with the highest score, or 1 where a binary score reaches the threshold."""
    if scores.ndim == 1:
        return (scores >= (0.5 if threshold is None else threshold)).astype(np.int64)
    codes: Codes = scores.argmax(axis=1)
    return codes


def measure(
    task: Task,
    target: Vector,
    scores: Scores,
    threshold: float | None,
    weights: Vector | None = None,
) -> dict[str, float]:
    """Return every metric of the task for scored rows.

    Args:
        task: the task.
        target: (rows,) class codes or numbers.
        scores: (rows,), or (rows, classes) for multiclass.
        threshold: decision threshold (binary).
        weights: (rows,) weight of each row; None: all count the same.
    """
    return measure_predictions(task, target, scores, predicted_codes(scores, threshold), weights)


def measure_predictions(
    task: Task, target: Vector, scores: Scores, predicted: Codes, weights: Vector | None = None
) -> dict[str, float]:
    """Return every metric for scored rows whose predictions, (rows,) class codes, are known."""
    of_rows = np.ones(len(target)) if weights is None else weights
    metrics = _weighted_metrics(task, target, scores, predicted, of_rows[None, :])
    return {name: float(values[0]) for name, values in metrics.items()}


def measure_with_intervals(
    task: Task,
    target: Vector,
    scores: Scores,
    threshold: float | None,
    resamples: int,
    weights: Vector | None = None,
) -> dict[str, Interval]:
    """Return every metric with its 95 % bootstrap interval; 0 resamples: all bounds equal the value."""
    predicted = predicted_codes(scores, threshold)
    return measure_predictions_with_intervals(task, target, scores, predicted, resamples, weights)


def measure_predictions_with_intervals(
    task: Task,
    target: Vector,
    scores: Scores,
    predicted: Codes,
    resamples: int,
    weights: Vector | None = None,
) -> dict[str, Interval]:
    """Return what `measure_with_intervals` does, for rows whose predictions, (rows,), are known."""
    point = measure_predictions(task, target, scores, predicted, weights)
    if resamples == 0:
        return {name: Interval(value, value, value) for name, value in point.items()}
    drawn = _resampled(task, target, scores, predicted, resamples, weights)
    return {name: _interval(value, drawn[name]) for name, value in point.items()}


def paired_differences(
    task: Task,
    target: Vector,
    first: tuple[Scores, Codes],
    second: tuple[Scores, Codes],
    resamples: int,
) -> dict[str, Interval]:
    """Return each metric of the second model less that of the first, on the same rows.

    The 95 % intervals are narrower than those of either metric: both models are measured on each resample,
    so that what makes its rows hard or easy cancels out.

    Args:
        task: the task.
        target: (rows,) class codes or numbers.
        first: scores and predictions of one model.
        second: those of the other one.
        resamples: number of bootstrap resamples; 0: all bounds equal the difference.
    """
    one, other = (measure_predictions(task, target, *model) for model in (first, second))
    differences = {name: other[name] - value for name, value in one.items()}
    if resamples == 0:
        return {name: Interval(value, value, value) for name, value in differences.items()}
    drawn = [_resampled(task, target, *model, resamples) for model in (first, second)]
    return {
        name: _interval(value, drawn[1][name] - drawn[0][name])
        for name, value in differences.items()
    }


def _resampled(
    task: Task,
    target: Vector,
    scores: Scores,
    predicted: Codes,
    resamples: int,
    of_rows: Vector | None = None,
) -> Metrics:
    """Return every metric on each resample of the rows, which are the same for as many rows."""
    drawn: defaultdict[str, list[Vector]] = defaultdict(list)
    random = np.random.default_rng(0)
    chunk = max(1, _CHUNK // len(target))
    for start in range(0, resamples, chunk):
        shape = (min(chunk, resamples - start), len(target))
        weights = random.poisson(1.0, shape).astype(np.float64)
        if of_rows is not None:
            weights *= of_rows
        for name, values in _weighted_metrics(task, target, scores, predicted, weights).items():
            drawn[name].append(values)
    return {name: np.concatenate(values) for name, values in drawn.items()}


def _interval(value: float, drawn: Vector) -> Interval:
    defined = drawn[np.isfinite(drawn)]
    if len(defined) == 0:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _weighted_metrics(
    task: Task, target: Vector, scores: Scores, predicted: Codes, weights: Weights
) -> Metrics:
    with np.errstate(divide="ignore", invalid="ignore"):  # a metric may be undefined: NaN
        if task.kind is TaskKind.REGRESSION:
            return _regression(task.loss, target, scores, weights)
        codes = target.astype(np.int64)
        if task.kind is TaskKind.MULTICLASS:
            return _multiclass(codes, scores, weights)
        return _binary(codes, scores, predicted, weights)


def _binary(target: Codes, scores: Scores, predicted: Codes, weights: Weights) -> Metrics:
    rows = weights.sum(axis=1)
    positives, selected = weights @ target, weights @ predicted
    true_positives = weights @ (target & predicted)
    precision = np.where(selected > 0, true_positives / selected, 0.0)
    recall = true_positives / positives
    clipped = np.clip(scores, _TINY, 1 - _TINY)
    losses = -np.where(target == 1, np.log(clipped), np.log1p(-clipped))
    return {
        "auc": weighted_auc(target, scores, weights),
        "log_loss": weights @ losses / rows,
        "accuracy": weights @ (target == predicted) / rows,
        "precision": precision,
        "recall": recall,
        "f1": 2 * true_positives / (selected + positives),
        "brier": weights @ (scores - target) ** 2 / rows,
    }


def weighted_auc(target: Codes, scores: Scores, weights: Weights) -> Vector:
    """Return the area under the ROC curve for each row of weights; ties count half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    positive = np.add.reduceat(weights[:, order] * target[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * (1 - target[order]), starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    area: Vector = (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))
    return area


def _multiclass(target: Codes, scores: Scores, weights: Weights) -> Metrics:
    rows = weights.sum(axis=1)
    predicted = predicted_codes(scores, None)
    true_class = np.clip(scores[np.arange(len(target)), target], _TINY, 1.0)
    present = np.unique(target)
    truth = weights @ (target[:, None] == present)
    chosen = weights @ (predicted[:, None] == present)
    true_positives = weights @ ((target == predicted)[:, None] & (target[:, None] == present))
    known = truth > 0  # a resample may miss a class
    return {
        "macro_f1": _mean_known(2 * true_positives / (truth + chosen), known),
        "accuracy": weights @ (target == predicted) / rows,
        "log_loss": weights @ -np.log(true_class) / rows,
        "macro_precision": _mean_known(np.where(chosen > 0, true_positives / chosen, 0.0), known),
        "macro_recall": _mean_known(true_positives / truth, known),
    }


def _mean_known(values: Weights, known: npt.NDArray[np.bool_]) -> Vector:
    mean: Vector = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean


def _regression(loss: Loss, target: Vector, scores: Scores, weights: Weights) -> Metrics:
    rows = weights.sum(axis=1)
    own = loss.metric not in {"rmse", "mae"}
    error = scores - target
    squares = weights @ error**2
    centred = target - target.mean()
    spread = weights @ centred**2 - (weights @ centred) ** 2 / rows
    return {
        "rmse": np.sqrt(squares / rows),
        "mae": weights @ np.abs(error) / rows,
        "r2": np.where(spread > 0, 1 - squares / spread, np.nan),
        **({loss.metric: weights @ row_losses(loss, target, scores) / rows} if own else {}),
    }


def choose_threshold(
    target: Codes, scores: Scores, section: TrainSection, weights: Vector | None = None
) -> float:
    """Return the threshold that `train.threshold` asks for on out-of-fold scores of class 1."""
    if section.threshold == "0.5":
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))  # no threshold separates equal scores
    counts = np.ones(len(target)) if weights is None else weights[order]
    true_positives = np.cumsum(counts * target[order])[last]
    false_positives = np.cumsum(counts * (1 - target[order]))[last]
    positives, negatives = true_positives[-1], false_positives[-1]
    if section.threshold == "f1":
        objective = 2 * true_positives / (true_positives + false_positives + positives)
    elif section.threshold == "youden":
        objective = true_positives / positives - false_positives / negatives
    else:
        false_negatives = positives - true_positives
        cost_positive, cost_negative = section.cost_false_positive, section.cost_false_negative
        objective = -(cost_positive * false_positives + cost_negative * false_negatives)
        if objective.max() <= -cost_negative * positives:
            return 1.0  # predicting no positives is the cheapest
    # Half way to the next lower score, so that rounding cannot move a row across.
    best = int(np.argmax(objective))
    return float(ranked[last][best : best + 2].mean())
