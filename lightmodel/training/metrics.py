"""Metrics of scored rows, and the score from which on a row counts as positive.

Rows as they are and bootstrap resamples of them go through the same formulas: a resample is a weight for
each row, and every metric here is a function of weighted sums (the AUC, of weighted ranks), so that
hundreds of resamples cost little.
"""

import numpy as np
import numpy.typing as npt

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Codes, Scores, Vector
from lightmodel.contract.results import Interval
from lightmodel.contract.task import TaskKind

_CHUNK = 4_000_000  # weights held at a time
_TINY = 1e-15

Weights = npt.NDArray[np.float64]  # (resamples, rows)
Measured = dict[str, Vector]  # metric → (resamples,)


def predicted_codes(scores: Scores, threshold: float | None) -> Codes:
    """Decide: the class whose score is largest, or 1 where a binary score reaches the threshold."""
    if scores.ndim == 1:
        return (scores >= (0.5 if threshold is None else threshold)).astype(np.int64)
    codes: Codes = scores.argmax(axis=1)
    return codes


def measure(
    kind: TaskKind, target: Vector, scores: Scores, threshold: float | None
) -> dict[str, float]:
    """Return every metric of the task for scored rows.

    Args:
        kind: of the task.
        target: (rows,) class codes or numbers.
        scores: (rows,), or (rows, classes) for multiclass.
        threshold: decision threshold (binary).
    """
    return measure_answers(kind, target, scores, predicted_codes(scores, threshold))


def measure_answers(
    kind: TaskKind, target: Vector, scores: Scores, decided: Codes
) -> dict[str, float]:
    """Return the same by what was decided: (rows,) class codes, of use for binary only."""
    measured = _measured(kind, target, scores, decided, np.ones((1, len(target))))
    return {name: float(values[0]) for name, values in measured.items()}


def measure_with_intervals(
    kind: TaskKind, target: Vector, scores: Scores, threshold: float | None, resamples: int
) -> dict[str, Interval]:
    """Return every metric with its 95 % bootstrap interval (as wide as a point for 0 resamples)."""
    values = measure(kind, target, scores, threshold)
    if resamples == 0:
        return {name: Interval(value, value, value) for name, value in values.items()}
    drawn: dict[str, list[Vector]] = {name: [] for name in values}
    random, decided = np.random.default_rng(0), predicted_codes(scores, threshold)
    at_once = max(1, _CHUNK // len(target))
    for start in range(0, resamples, at_once):
        shape = (min(at_once, resamples - start), len(target))
        weights = random.poisson(1.0, shape).astype(np.float64)
        for name, found in _measured(kind, target, scores, decided, weights).items():
            drawn[name].append(found)
    return {name: _interval(value, np.concatenate(drawn[name])) for name, value in values.items()}


def _interval(value: float, drawn: Vector) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if len(known) == 0:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _measured(
    kind: TaskKind, target: Vector, scores: Scores, decided: Codes, weights: Weights
) -> Measured:
    with np.errstate(divide="ignore", invalid="ignore"):  # a metric may be undefined: NaN
        if kind is TaskKind.REGRESSION:
            return _regression(target, scores, weights)
        codes = target.astype(np.int64)
        if kind is TaskKind.MULTICLASS:
            return _multiclass(codes, scores, weights)
        return _binary(codes, scores, decided, weights)


def _binary(target: Codes, scores: Scores, decided: Codes, weights: Weights) -> Measured:
    rows = weights.sum(axis=1)
    positives, chosen = weights @ target, weights @ decided
    hits = weights @ (target & decided)
    precision = np.where(chosen > 0, hits / chosen, 0.0)
    recall = hits / positives
    sure = np.clip(scores, _TINY, 1 - _TINY)
    surprise = -np.where(target == 1, np.log(sure), np.log1p(-sure))
    return {
        "auc": weighted_auc(target, scores, weights),
        "log_loss": weights @ surprise / rows,
        "accuracy": weights @ (target == decided) / rows,
        "precision": precision,
        "recall": recall,
        "f1": 2 * hits / (chosen + positives),
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


def _multiclass(target: Codes, scores: Scores, weights: Weights) -> Measured:
    rows = weights.sum(axis=1)
    decided = predicted_codes(scores, None)
    of_truth = np.clip(scores[np.arange(len(target)), target], _TINY, 1.0)
    present = np.unique(target)
    truth = weights @ (target[:, None] == present)
    chosen = weights @ (decided[:, None] == present)
    hits = weights @ ((target == decided)[:, None] & (target[:, None] == present))
    known = truth > 0  # a resample may miss a class
    return {
        "macro_f1": _mean_known(2 * hits / (truth + chosen), known),
        "accuracy": weights @ (target == decided) / rows,
        "log_loss": weights @ -np.log(of_truth) / rows,
        "macro_precision": _mean_known(np.where(chosen > 0, hits / chosen, 0.0), known),
        "macro_recall": _mean_known(hits / truth, known),
    }


def _mean_known(values: Weights, known: npt.NDArray[np.bool_]) -> Vector:
    mean: Vector = np.where(known, values, 0.0).sum(axis=1) / known.sum(axis=1)
    return mean


def _regression(target: Vector, scores: Scores, weights: Weights) -> Measured:
    rows = weights.sum(axis=1)
    error = scores - target
    squares = weights @ error**2
    centred = target - target.mean()
    spread = weights @ centred**2 - (weights @ centred) ** 2 / rows
    return {
        "rmse": np.sqrt(squares / rows),
        "mae": weights @ np.abs(error) / rows,
        "r2": np.where(spread > 0, 1 - squares / spread, np.nan),
    }


def choose_threshold(target: Codes, scores: Scores, section: TrainSection) -> float:
    """Choose by `train.threshold` on out-of-fold probabilities of class 1: 0.5, f1, youden or cost."""
    if section.threshold == "0.5":
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))  # a threshold cuts between scores only
    hits = np.cumsum(target[order])[last].astype(float)
    false_alarms = last + 1 - hits
    positives, negatives = hits[-1], false_alarms[-1]
    if section.threshold == "f1":
        merit = 2 * hits / (hits + false_alarms + positives)
    elif section.threshold == "youden":
        merit = hits / positives - false_alarms / negatives
    else:
        missed = positives - hits
        merit = -(section.cost_false_positive * false_alarms + section.cost_false_negative * missed)
        if merit.max() <= -section.cost_false_negative * positives:
            return 1.0  # cheapest is to call nothing positive
    # Half way to the next lower score, so that rounding cannot move a row across.
    best = int(np.argmax(merit))
    return float(ranked[last][best : best + 2].mean())
