"""Which entry is best by cross-validation, by how much, and whether that is more than chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, minimize
from scipy.stats import t as student

from lightmodel.config import TrainSection
from lightmodel.contract.cells import Codes, Mask, Matrix, Scores, Vector
from lightmodel.contract.task import Metric, TaskKind
from lightmodel.search.entries import CvResult, Measured, RankedResult
from lightmodel.training.metrics import choose_threshold, measure

MEMBERS = 3
_CERTAINTY = 0.95
_LEAST_WEIGHT = 0.01
_TINY = 1e-15


@dataclass(frozen=True)
class TrainRows:
    """The training rows that all entries were scored on.

    Attributes:
        target: (rows,) class codes or numbers.
        numbers: (rows,) the fold that holds each row out, -1 for none.
    """

    kind: TaskKind
    target: Vector
    numbers: Codes


def rank(results: Sequence[CvResult], metric: Metric) -> tuple[RankedResult, ...]:
    """Return results by their mean over the folds, the best first; one without a mean comes last."""

    def order(result: CvResult) -> tuple[bool, float]:
        mean = _mean(_of_folds(result, metric.name))
        return math.isnan(mean), -mean if metric.higher_is_better else mean

    ordered = sorted(results, key=order)
    return tuple(_ranked(one, ordered[0], metric) for one in ordered)


def _ranked(result: CvResult, best: CvResult, metric: Metric) -> RankedResult:
    folds = {name: _of_folds(result, name) for name in result.pooled}
    return RankedResult(
        result,
        {name: _mean(values) for name, values in folds.items()},
        {name: _spread(values) for name, values in folds.items()},
        *paired_difference(best, result, metric),
    )


def paired_difference(better: CvResult, worse: CvResult, metric: Metric) -> tuple[float, float]:
    """Return by how much one is better over the folds, and half that difference's 95 % interval.

    Folds share most of their training rows, so that their differences vary less than those of fresh
    tables would; the variance is corrected for that as Nadeau and Bengio do (2003).
    """
    if better is worse:
        return 0.0, 0.0
    sign = 1 if metric.higher_is_better else -1
    apart = sign * (_of_folds(better, metric.name) - _of_folds(worse, metric.name))
    apart = apart[np.isfinite(apart)]
    count = len(apart)
    if count < 2:
        return _mean(apart), math.inf
    share = 1 / count + 1 / (count - 1)  # the second: rows held out to rows trained on
    error = math.sqrt(share * float(apart.var(ddof=1)))
    return float(apart.mean()), error * float(student.ppf((1 + _CERTAINTY) / 2, count - 1))


def _of_folds(result: CvResult, metric: str) -> Vector:
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
    """Average the best three by weights fitted to their out-of-fold scores.

    Its own score is honest: for each fold, the other folds choose the three and their weights. The
    blend to be used takes all folds for that.

    Returns:
        The blend; None where there are not two to blend, or one member is to have all the weight.
    """
    able = [one for one in results if one.estimator != "blend"]
    chosen = _chosen(able, rows, metric, without=None)
    if len(chosen) < 2:
        return None
    scores = np.full_like(able[0].scores, np.nan)
    for fold in range(int(rows.numbers.max()) + 1):
        parts = _chosen(able, rows, metric, without=fold)
        held_out = rows.numbers == fold
        scores[held_out] = sum(weight * one.scores[held_out] for one, weight in parts)
    return _as_result(chosen, scores, rows, section)


def _chosen(
    results: Sequence[CvResult], rows: TrainRows, metric: Metric, without: int | None
) -> list[tuple[CvResult, float]]:
    """Choose members and weights by all folds but one."""
    seen = [
        replace(one, folds=tuple(fold for at, fold in enumerate(one.folds) if at != without))
        for one in results
        if np.isfinite(one.scores[rows.numbers >= 0]).all()
    ]
    best = [one.result for one in rank(seen, metric)][:MEMBERS]
    if not best:
        return []
    used = (rows.numbers >= 0) & (rows.numbers != (-1 if without is None else without))
    weights = fit_weights(rows.kind, rows.target[used], [one.scores[used] for one in best])
    return [(one, weight) for one, weight in zip(best, weights, strict=True) if weight > 0]


def fit_weights(kind: TaskKind, target: Vector, scores: Sequence[Scores]) -> tuple[float, ...]:
    """Return weights of at least 0 that add up to 1, with the least log loss or squared error.

    Args:
        kind: of the task.
        target: (rows,) class codes or numbers.
        scores: of each member, for the same rows; a weight below 0.01 becomes 0.
    """
    members = np.stack([_likelihood(kind, target, one) for one in scores])
    if kind is TaskKind.REGRESSION:
        scale = float(target.std()) or 1.0
        loss = partial(_squared_error, members / scale, target / scale)
    else:
        loss = partial(_log_loss, members)
    count = len(members)
    fitted = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(np.ones((1, count)), 1.0, 1.0),
    )
    kept = np.where(fitted.x < _LEAST_WEIGHT, 0.0, fitted.x)
    rounded = [round(float(weight), 3) for weight in kept / kept.sum()]
    return tuple(round(weight / sum(rounded), 6) for weight in rounded)


def _likelihood(kind: TaskKind, target: Vector, scores: Scores) -> Scores:
    """Return the probabilities of the true classes; of a regression, the scores themselves."""
    if kind is TaskKind.REGRESSION:
        return scores
    if scores.ndim == 1:
        likely: Scores = np.where(target == 1, scores, 1 - scores)
        return likely
    return scores[np.arange(len(target)), target.astype(np.int64)]


def _log_loss(likely: Matrix, weights: Vector) -> tuple[float, Vector]:
    """Return the log loss of a blend, and its gradient."""
    mixed = np.maximum(weights @ likely, _TINY)
    return float(-np.log(mixed).mean()), -(likely / mixed).mean(axis=1)


def _squared_error(numbers: Matrix, target: Vector, weights: Vector) -> tuple[float, Vector]:
    """Return the mean squared error of a blend, and its gradient."""
    error = weights @ numbers - target
    return float((error**2).mean()), 2 * (numbers @ error) / len(target)


def _as_result(
    chosen: Sequence[tuple[CvResult, float]], scores: Scores, rows: TrainRows, section: TrainSection
) -> CvResult:
    members = [
        {"estimator": one.estimator, "parameters": dict(one.parameters)} for one, _ in chosen
    ]
    weights = tuple(weight for _, weight in chosen)
    covered, threshold = rows.numbers >= 0, None
    if rows.kind is TaskKind.BINARY:
        codes = rows.target[covered].astype(np.int64)
        threshold = choose_threshold(codes, scores[covered], section)

    def measured(used: Mask) -> Measured:
        return measure(rows.kind, rows.target[used], scores[used], threshold)

    return CvResult(
        "blend",
        "blend",
        {"members": members, "weights": list(weights)},
        scores,
        tuple(measured(rows.numbers == fold) for fold in range(int(rows.numbers.max()) + 1)),
        measured(covered),
        sum(one.fit_seconds for one, _ in chosen),
        sum(one.row_seconds for one, _ in chosen),
        sum(one.size for one, _ in chosen),
        ("of " + ", ".join(f"{one.name} ({weight:g})" for one, weight in chosen),),
        tuple(version for one, _ in chosen for version in one.versions),
        weights,
        threshold,
    )
