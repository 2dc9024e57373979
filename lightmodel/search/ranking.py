"""Rank entries by cross-validation, test differences for significance, and blend the best."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, minimize
from scipy.special import stdtrit

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Codes, Mask, Matrix, Scores, Vector
from lightmodel.contract.task import Metric, Task, TaskKind
from lightmodel.search.entries import CvResult, MetricValues, RankedResult
from lightmodel.training.metrics import choose_threshold, measure

MAX_MEMBERS = 3  # of a blend
_CONFIDENCE = 0.95
_MIN_WEIGHT = 0.01
_TINY = 1e-15


@dataclass(frozen=True)
class TrainRows:
    """The training rows that all entries were scored on.

    Attributes:
        target: (rows,) class codes or numbers.
        fold_numbers: (rows,) number of the fold that holds each row out, -1 for none.
        weights: (rows,) of train.weight; None: all count the same.
    """

    task: Task
    target: Vector
    fold_numbers: Codes
    weights: Vector | None = None

    def weights_of(self, rows: Mask) -> Vector | None:
        """Return the weights of some rows; None if all count the same."""
        return None if self.weights is None else self.weights[rows]


def rank(results: Sequence[CvResult], metric: Metric) -> tuple[RankedResult, ...]:
    """Sort results by their mean over the folds, the best first; those without a mean come last."""

    def order(result: CvResult) -> tuple[bool, float]:
        mean = _mean(_fold_values(result, metric.name))
        return math.isnan(mean), -mean if metric.higher_is_better else mean

    ordered = sorted(results, key=order)
    return tuple(_ranked(one, ordered[0], metric) for one in ordered)


def _ranked(result: CvResult, best: CvResult, metric: Metric) -> RankedResult:
    folds = {name: _fold_values(result, name) for name in result.pooled}
    return RankedResult(
        result,
        {name: _mean(values) for name, values in folds.items()},
        {name: _spread(values) for name, values in folds.items()},
        *_behind(best, result, metric),
    )


def _behind(best: CvResult, result: CvResult, metric: Metric) -> tuple[float, float]:
    """Return how far a result is behind the best, and the noise of that."""
    if best is result:
        return 0.0, 0.0
    one, other = _fold_values(best, metric.name), _fold_values(result, metric.name)
    return paired_difference(one, other, metric)


def paired_difference(
    better: Vector, worse: Vector, metric: Metric, comparisons: int = 1
) -> tuple[float, float]:
    """Return the mean difference over the folds, and half the width of its 95 % interval.

    Folds share most of their training rows, so their differences vary less than those of independent
    tables would; the variance is corrected for that as by Nadeau and Bengio (2003).

    Args:
        better: (folds,) values of the deciding metric.
        worse: the same of another candidate, on the same folds.
        metric: the deciding metric.
        comparisons: how many candidates `better` is the best of; the interval then holds for all of them.
    """
    differences = (better - worse) * (1 if metric.higher_is_better else -1)
    differences = differences[np.isfinite(differences)]
    count = len(differences)
    if count < 2:
        return _mean(differences), math.inf
    factor = 1 / count + 1 / (count - 1)  # the second term is held-out rows / training rows
    error = math.sqrt(factor * float(differences.var(ddof=1)))
    return float(differences.mean()), error * float(
        stdtrit(count - 1, 1 - (1 - _CONFIDENCE) / 2 / comparisons)
    )


def _fold_values(result: CvResult, metric: str) -> Vector:
    return np.array([fold.get(metric, math.nan) for fold in result.folds], dtype=np.float64)


def _mean(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _spread(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


def blend(
    results: Sequence[CvResult], rows: TrainRows, metric: Metric, section: TrainSection
) -> CvResult | None:
    """Blend the best three results with weights fitted to their out-of-fold scores.

    The blend's own score is unbiased: for each fold, the other folds choose members and weights. The
    members and weights that are returned are chosen by all folds.

    Returns:
        The blend; None if there are fewer than two results, or one of them gets all the weight.
    """
    unblended = [one for one in results if one.estimator != "blend"]
    chosen = _choose_members(unblended, rows, metric, without=None)
    if len(chosen) < 2:
        return None
    scores = np.full_like(unblended[0].scores, np.nan)
    for fold in range(int(rows.fold_numbers.max()) + 1):
        parts = _choose_members(unblended, rows, metric, without=fold)
        held_out = rows.fold_numbers == fold
        scores[held_out] = sum(weight * one.scores[held_out] for one, weight in parts)
    return _blend_result(chosen, scores, rows, section)


def _choose_members(
    results: Sequence[CvResult], rows: TrainRows, metric: Metric, without: int | None
) -> list[tuple[CvResult, float]]:
    """Choose members and their weights by all folds except the one with number `without`."""
    seen = [
        replace(one, folds=tuple(fold for at, fold in enumerate(one.folds) if at != without))
        for one in results
        if np.isfinite(one.scores[rows.fold_numbers >= 0]).all()
    ]
    best = [one.result for one in rank(seen, metric)][:MAX_MEMBERS]
    if not best:
        return []
    used = (rows.fold_numbers >= 0) & (rows.fold_numbers != (-1 if without is None else without))
    scores, of_rows = [one.scores[used] for one in best], rows.weights_of(used)
    weights = fit_weights(rows.task.kind, rows.target[used], scores, of_rows)
    return [(one, weight) for one, weight in zip(best, weights, strict=True) if weight > 0]


def fit_weights(
    kind: TaskKind, target: Vector, scores: Sequence[Scores], of_rows: Vector | None = None
) -> tuple[float, ...]:
    """Return non-negative weights with sum 1 that minimise the log loss, or the squared error.

    Args:
        kind: of the task.
        target: (rows,) class codes or numbers.
        scores: of each member, for the same rows; one whose weight is below 0.01 gets 0.
        of_rows: (rows,) weight of each row; None: all count the same.
    """
    members = np.stack([_likelihood(kind, target, one) for one in scores])
    if kind is TaskKind.REGRESSION:
        scale = float(target.std()) or 1.0
        loss = partial(_squared_error, members / scale, target / scale, of_rows)
    else:
        loss = partial(_log_loss, members, of_rows)
    count = len(members)
    fitted = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(np.ones((1, count)), 1.0, 1.0),
    )
    kept = np.where(fitted.x < _MIN_WEIGHT, 0.0, fitted.x)
    rounded = [round(float(weight), 3) for weight in kept / kept.sum()]
    return tuple(round(weight / sum(rounded), 6) for weight in rounded)


def _likelihood(kind: TaskKind, target: Vector, scores: Scores) -> Scores:
    """Return each row's probability of its true class; for regression, the scores themselves."""
    if kind is TaskKind.REGRESSION:
        return scores
    if scores.ndim == 1:
        likelihood: Scores = np.where(target == 1, scores, 1 - scores)
        return likelihood
    return scores[np.arange(len(target)), target.astype(np.int64)]


def _log_loss(likelihood: Matrix, of_rows: Vector | None, weights: Vector) -> tuple[float, Vector]:
    """Return the log loss of a blend, and its gradient."""
    mixed = np.maximum(weights @ likelihood, _TINY)
    gradient: Vector = -np.average(likelihood / mixed, axis=1, weights=of_rows)
    return float(np.average(-np.log(mixed), weights=of_rows)), gradient


def _squared_error(
    numbers: Matrix, target: Vector, of_rows: Vector | None, weights: Vector
) -> tuple[float, Vector]:
    """Return the mean squared error of a blend, and its gradient."""
    error = weights @ numbers - target
    gradient: Vector = 2 * np.average(numbers * error, axis=1, weights=of_rows)
    return float(np.average(error**2, weights=of_rows)), gradient


def _blend_result(
    chosen: Sequence[tuple[CvResult, float]], scores: Scores, rows: TrainRows, section: TrainSection
) -> CvResult:
    members = [
        {"estimator": one.estimator, "parameters": dict(one.parameters)} for one, _ in chosen
    ]
    weights = tuple(weight for _, weight in chosen)
    folds, covered, threshold = int(rows.fold_numbers.max()) + 1, rows.fold_numbers >= 0, None
    if rows.task.kind is TaskKind.BINARY:
        codes = rows.target[covered].astype(np.int64)
        of_rows = rows.weights_of(covered)
        threshold = choose_threshold(codes, scores[covered], section, of_rows)

    def measure_rows(used: Mask) -> MetricValues:
        of_rows = rows.weights_of(used)
        return measure(rows.task, rows.target[used], scores[used], threshold, of_rows)

    return CvResult(
        "blend",
        "blend",
        {"members": members, "weights": list(weights)},
        scores,
        tuple(measure_rows(rows.fold_numbers == fold) for fold in range(folds)),
        measure_rows(covered),
        sum(one.fit_seconds for one, _ in chosen),
        sum(one.row_seconds for one, _ in chosen),
        sum(one.size for one, _ in chosen),
        ("of " + ", ".join(f"{one.name} ({weight:g})" for one, weight in chosen),),
        tuple(version for one, _ in chosen for version in one.versions),
        weights,
        threshold,
    )
