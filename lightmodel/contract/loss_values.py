"""The formulas of the losses of numeric targets: what training lowers, and what metrics measure."""

from typing import Literal

import numpy as np

from lightmodel.contract.cells import Vector
from lightmodel.contract.losses import Loss, LossName
from lightmodel.errors import ConfigError

_TINY = 1e-15
# What a target may be: the lowest and the highest value; above 0 is above the first.
_BOUNDS = {
    LossName.POISSON: (0.0, np.inf),
    LossName.GAMMA: (0.0, np.inf),
    LossName.TWEEDIE: (0.0, np.inf),
    LossName.CROSS_ENTROPY: (0.0, 1.0),
}


def row_losses(loss: Loss, target: Vector, scores: Vector) -> Vector:
    """Return (rows,) the loss of each row, 0 for a perfect score."""
    return _FORMULAS[loss.name](target, scores, loss.alpha)


def best_constant(loss: Loss, target: Vector, weights: Vector | None = None) -> float:
    """Return the constant score with the lowest loss, or with the lowest weighted one."""
    quantiles = {LossName.QUANTILE: loss.alpha, LossName.MAE: 0.5, LossName.HUBER: 0.5}
    if (share := quantiles.get(loss.name)) is None:
        return float(np.average(target, weights=weights))
    method: Literal["linear", "inverted_cdf"] = "linear" if weights is None else "inverted_cdf"
    return float(np.quantile(target, share, method=method, weights=weights))


def check_target(loss: Loss, target: Vector, column: str) -> None:
    """Check that a loss is defined for all values of the column to predict.

    Raises:
        ConfigError: there are others; says how many.
    """
    if loss.name not in _BOUNDS:
        return
    low, high = _BOUNDS[loss.name]
    is_open = loss.name is LossName.GAMMA
    count = int(((target <= low if is_open else target < low) | (target > high)).sum())
    if not count:
        return
    allowed = f"above {low:g}" if is_open else f"of at least {low:g}"
    raise ConfigError(
        f"train.objective = {str(loss.name)!r} is for numbers "
        f"{allowed if high == np.inf else f'from {low:g} to {high:g}'}, but {count:,} of "
        f"{len(target):,} training rows have another {column!r}",
        hint='choose another train.objective, or "auto"',
    )


def _squared(target: Vector, scores: Vector, _alpha: float) -> Vector:
    return (scores - target) ** 2


def _absolute(target: Vector, scores: Vector, _alpha: float) -> Vector:
    return np.abs(scores - target)


def _huber(target: Vector, scores: Vector, alpha: float) -> Vector:
    error = np.abs(scores - target)
    losses: Vector = np.where(error <= alpha, 0.5 * error**2, alpha * (error - 0.5 * alpha))
    return losses


def _pinball(target: Vector, scores: Vector, alpha: float) -> Vector:
    short = target - scores
    losses: Vector = np.where(short >= 0, alpha * short, (alpha - 1) * short)
    return losses


def _poisson(target: Vector, scores: Vector, _alpha: float) -> Vector:
    scores = np.maximum(scores, _TINY)
    return 2 * (_xlogy(target, target / scores) - target + scores)


def _gamma(target: Vector, scores: Vector, _alpha: float) -> Vector:
    ratio = np.maximum(target, _TINY) / np.maximum(scores, _TINY)
    losses: Vector = 2 * (ratio - np.log(ratio) - 1)
    return losses


def _tweedie(target: Vector, scores: Vector, alpha: float) -> Vector:
    scores, one, two = np.maximum(scores, _TINY), 1 - alpha, 2 - alpha
    saturated = np.maximum(target, 0) ** two / (one * two)
    losses: Vector = 2 * (saturated - target * scores**one / one + scores**two / two)
    return losses


def _cross_entropy(target: Vector, scores: Vector, _alpha: float) -> Vector:
    scores = np.clip(scores, _TINY, 1 - _TINY)
    return 2 * (_xlogy(target, target / scores) + _xlogy(1 - target, (1 - target) / (1 - scores)))


def _xlogy(factor: Vector, value: Vector) -> Vector:
    """Return factor * log(value), which is 0 where both are."""
    logs: Vector = factor * np.log(np.where(factor > 0, value, 1.0))
    return logs


_FORMULAS = {
    LossName.SQUARED: _squared,
    LossName.MAE: _absolute,
    LossName.HUBER: _huber,
    LossName.QUANTILE: _pinball,
    LossName.POISSON: _poisson,
    LossName.GAMMA: _gamma,
    LossName.TWEEDIE: _tweedie,
    LossName.CROSS_ENTROPY: _cross_entropy,
}
