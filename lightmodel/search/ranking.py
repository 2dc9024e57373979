"""Who is best by cross-validation, by how much, and whether that is more than chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, minimize
from scipy.stats import t as student

from lightmodel.config import TrainSection
from lightmodel.contract.arrays import Codes, Mask, Matrix, Scores, Vector
from lightmodel.contract.metrics import Metric
from lightmodel.contract.task import TaskKind
from lightmodel.search.entries import Measured, Showing, Standing
from lightmodel.training.metrics import measure
from lightmodel.training.threshold import choose_threshold

BLENDED = 3
_CERTAINTY = 0.95
_LEAST_WEIGHT = 0.01
_TINY = 1e-15


@dataclass(frozen=True)
class Rows:
    """The training rows as all contenders were scored on them.

    Attributes:
        target: (rows,) class codes or numbers.
        numbers: (rows,) the fold that holds each row out, -1 for none.
    """

    kind: TaskKind
    target: Vector
    numbers: Codes


def rank(showings: Sequence[Showing], metric: Metric) -> tuple[Standing, ...]:
    """Put showings in order, the best mean over the folds first; one without a mean comes last."""

    def place(showing: Showing) -> tuple[bool, float]:
        mean = _mean(_of_folds(showing, metric.name))
        return math.isnan(mean), -mean if metric.higher_is_better else mean

    ordered = sorted(showings, key=place)
    return tuple(_standing(one, ordered[0], metric) for one in ordered)


def _standing(showing: Showing, first: Showing, metric: Metric) -> Standing:
    names = list(showing.pooled)
    folds = {name: _of_folds(showing, name) for name in names}
    behind, noise = paired_difference(first, showing, metric)
    return Standing(
        showing,
        {name: _mean(folds[name]) for name in names},
        {name: _spread(folds[name]) for name in names},
        behind,
        noise,
    )


def paired_difference(better: Showing, worse: Showing, metric: Metric) -> tuple[float, float]:
    """Give by how much one is better over the folds, and half that difference's 95 % interval.

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


def _of_folds(showing: Showing, metric: str) -> Vector:
    return np.array([fold.get(metric, math.nan) for fold in showing.folds], dtype=np.float64)


def _mean(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _spread(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else math.nan


def blend(
    showings: Sequence[Showing], rows: Rows, metric: Metric, section: TrainSection
) -> Showing | None:
    """Average the best three by weights that their out-of-fold scores decide on.

    Its own score is honest: for each fold, the other folds choose the three and their weights. The
    blend to be used takes all folds for that.

    Returns:
        The blend; None where there are not two to blend, or one member is to have all the weight.
    """
    able = [one for one in showings if one.estimator != "blend"]
    chosen = _chosen(able, rows, metric, without=None)
    if len(chosen) < 2:
        return None
    scores = np.full_like(able[0].scores, np.nan)
    for fold in range(int(rows.numbers.max()) + 1):
        parts = _chosen(able, rows, metric, without=fold)
        held_out = rows.numbers == fold
        scores[held_out] = sum(weight * one.scores[held_out] for one, weight in parts)
    return _as_showing(chosen, scores, rows, section)


def _chosen(
    showings: Sequence[Showing], rows: Rows, metric: Metric, without: int | None
) -> list[tuple[Showing, float]]:
    """Choose members and weights by all folds but one."""
    seen = [
        Showing(**{**vars(one), "folds": _others(one.folds, without)})
        for one in showings
        if np.isfinite(one.scores[rows.numbers >= 0]).all()
    ]
    names = [standing.showing.name for standing in rank(seen, metric)][:BLENDED]
    best = [next(one for one in showings if one.name == name) for name in names]
    if not best:
        return []
    used = rows.numbers >= 0 if without is None else (rows.numbers >= 0) & (rows.numbers != without)
    weights = fit_weights(rows.kind, rows.target[used], [one.scores[used] for one in best])
    return [(one, weight) for one, weight in zip(best, weights, strict=True) if weight > 0]


def _others(folds: tuple[Measured, ...], without: int | None) -> tuple[Measured, ...]:
    return tuple(fold for number, fold in enumerate(folds) if number != without)


def fit_weights(kind: TaskKind, target: Vector, scores: Sequence[Scores]) -> tuple[float, ...]:
    """Give weights of at least 0 that add up to 1, with the least log loss or squared error.

    Args:
        kind: of the task.
        target: (rows,) class codes or numbers.
        scores: of each member, for the same rows; a weight below 0.01 becomes 0.
    """
    every = np.stack([_told(kind, target, one) for one in scores])
    if kind is TaskKind.REGRESSION:
        scale = float(target.std()) or 1.0
        loss = partial(_squared_error, every / scale, target / scale)
    else:
        loss = partial(_surprise, every)
    count = len(every)
    found = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(np.ones((1, count)), 1.0, 1.0),
    )
    kept = np.where(found.x < _LEAST_WEIGHT, 0.0, found.x)
    rounded = [round(float(weight), 3) for weight in kept / kept.sum()]
    return tuple(round(weight / sum(rounded), 6) for weight in rounded)


def _told(kind: TaskKind, target: Vector, scores: Scores) -> Scores:
    """Give the probability of the true class, or the number itself."""
    if kind is TaskKind.REGRESSION:
        return scores
    if scores.ndim == 1:
        likely: Scores = np.where(target == 1, scores, 1 - scores)
        return likely
    return scores[np.arange(len(target)), target.astype(np.int64)]


def _surprise(likely: Matrix, weights: Vector) -> tuple[float, Vector]:
    """Give the log loss of a blend, and its slope."""
    mixed = np.maximum(weights @ likely, _TINY)
    return float(-np.log(mixed).mean()), -(likely / mixed).mean(axis=1)


def _squared_error(numbers: Matrix, target: Vector, weights: Vector) -> tuple[float, Vector]:
    """Give the mean squared error of a blend, and its slope."""
    error = weights @ numbers - target
    return float((error**2).mean()), 2 * (numbers @ error) / len(target)


def _as_showing(
    chosen: Sequence[tuple[Showing, float]], scores: Scores, rows: Rows, section: TrainSection
) -> Showing:
    members = [
        {"estimator": one.estimator, "parameters": dict(one.parameters)} for one, _ in chosen
    ]
    weights = tuple(weight for _, weight in chosen)
    threshold = _threshold(scores, rows, section)
    folds, pooled = _measured(scores, rows, threshold)
    return Showing(
        "blend",
        "blend",
        {"members": members, "weights": list(weights)},
        scores,
        folds,
        pooled,
        sum(one.fit_seconds for one, _ in chosen),
        sum(one.row_seconds for one, _ in chosen),
        sum(one.size for one, _ in chosen),
        ("of " + ", ".join(f"{one.name} ({weight:g})" for one, weight in chosen),),
        tuple(version for one, _ in chosen for version in one.versions),
        weights,
        threshold,
    )


def _threshold(scores: Scores, rows: Rows, section: TrainSection) -> float | None:
    if rows.kind is not TaskKind.BINARY:
        return None
    covered = rows.numbers >= 0
    codes = rows.target[covered].astype(np.int64)
    return choose_threshold(codes, scores[covered], section)


def _measured(
    scores: Scores, rows: Rows, threshold: float | None
) -> tuple[tuple[Measured, ...], Measured]:
    """Give the metrics of each fold's scores, and of all together."""

    def of(chosen: Mask) -> Measured:
        return measure(rows.kind, rows.target[chosen], scores[chosen], threshold)

    folds = tuple(of(rows.numbers == fold) for fold in range(int(rows.numbers.max()) + 1))
    return folds, of(rows.numbers >= 0)
