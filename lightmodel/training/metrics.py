"""Metrics of scored rows, for the rows as they are and for bootstrap resamples of them.

Both go through the same formulas: a resample is a weight for each row, and every metric here is a
function of weighted sums (the AUC, of weighted ranks), so that hundreds of resamples cost little.
"""

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import Codes, Scores, Vector
from lightmodel.contract.results import Interval
from lightmodel.contract.task import TaskKind

_CHUNK = 4_000_000  # weights held at a time
_TINY = 1e-15

Weights = npt.NDArray[np.float64]  # (resamples, rows)
Measured = dict[str, Vector]  # metric → (resamples,)


def predicted_codes(scores: Scores, threshold: float) -> Codes:
    """Decide: the class whose score is largest, or 1 where a binary score reaches the threshold."""
    if scores.ndim == 1:
        return (scores >= threshold).astype(np.int64)
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
    measured = _measured(kind, target, scores, threshold, np.ones((1, len(target))))
    return {name: float(values[0]) for name, values in measured.items()}


def measure_answers(
    kind: TaskKind, target: Vector, scores: Scores, decided: Codes
) -> dict[str, float]:
    """Return every metric of the task for rows that were answered, by what was decided then.

    Args:
        kind: of the task.
        target: (rows,) class codes or numbers.
        scores: (rows,), or (rows, classes) for multiclass.
        decided: (rows,) class codes; of use for binary only.
    """
    if kind is not TaskKind.BINARY:
        return measure(kind, target, scores, None)
    with np.errstate(divide="ignore", invalid="ignore"):  # a metric may be undefined: NaN
        codes, weights = target.astype(np.int64), np.ones((1, len(target)))
        measured = _binary(codes, scores, decided, weights)
    return {name: float(values[0]) for name, values in measured.items()}


def measure_with_intervals(
    kind: TaskKind, target: Vector, scores: Scores, threshold: float | None, resamples: int
) -> dict[str, Interval]:
    """Return every metric with its 95 % bootstrap interval (as wide as a point for 0 resamples)."""
    values = measure(kind, target, scores, threshold)
    if resamples == 0:
        return {name: Interval(value, value, value) for name, value in values.items()}
    drawn: dict[str, list[Vector]] = {name: [] for name in values}
    random = np.random.default_rng(0)
    at_once = max(1, _CHUNK // len(target))
    for start in range(0, resamples, at_once):
        shape = (min(at_once, resamples - start), len(target))
        weights = random.poisson(1.0, shape).astype(np.float64)
        for name, found in _measured(kind, target, scores, threshold, weights).items():
            drawn[name].append(found)
    return {name: _interval(value, np.concatenate(drawn[name])) for name, value in values.items()}


def _interval(value: float, drawn: Vector) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if len(known) == 0:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _measured(
    kind: TaskKind, target: Vector, scores: Scores, threshold: float | None, weights: Weights
) -> Measured:
    with np.errstate(divide="ignore", invalid="ignore"):  # a metric may be undefined: NaN
        if kind is TaskKind.REGRESSION:
            return _regression(target, scores, weights)
        codes = target.astype(np.int64)
        if kind is TaskKind.MULTICLASS:
            return _multiclass(codes, scores, weights)
        decided = predicted_codes(scores, 0.5 if threshold is None else threshold)
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
    decided = predicted_codes(scores, 0.5)
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
