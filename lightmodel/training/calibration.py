"""Probabilities that mean what they say: corrected by what the out-of-fold scores turned out to be."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lightmodel.contract.cells import Codes, Scores, Vector

_TINY = 1e-15


@dataclass(frozen=True)
class Calibration:
    """A monotone correction for each class; binary scores have one.

    Attributes:
        method: "sigmoid" (two numbers: slope and offset of the log-odds) or "isotonic".
        across: for each class: the two numbers, or scores, ascending.
        up: for each class: nothing, or the probabilities that belong to those scores.
    """

    method: str
    across: tuple[tuple[float, ...], ...]
    up: tuple[tuple[float, ...], ...]

    def apply(self, scores: Scores) -> Scores:
        """Correct scores, (rows,) or (rows, classes); those of several classes still add up to 1."""
        if scores.ndim == 1:
            return self._correct(scores, 0)
        every = np.column_stack([self._correct(column, at) for at, column in enumerate(scores.T)])
        normal: Scores = every / every.sum(axis=1, keepdims=True)
        return normal

    def _correct(self, scores: Vector, at: int) -> Vector:
        across = self.across[at]
        if self.method == "isotonic":
            corrected: Vector = np.interp(scores, across, self.up[at])
            return corrected
        slope, offset = across
        likely: Vector = 1 / (1 + np.exp(-(slope * _log_odds(scores) + offset)))
        return np.clip(likely, _TINY, 1 - _TINY)

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {"method": self.method, "across": self.across, "up": self.up}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Calibration":
        """Read back what `to_dict` gave."""
        across, up = (tuple(tuple(one) for one in content[key]) for key in ("across", "up"))
        return cls(content["method"], across, up)


def fit_calibration(method: str, scores: Scores, target: Codes) -> Calibration:
    """Fit to scores of rows that the model had not seen.

    Args:
        method: "sigmoid" or "isotonic".
        scores: (rows,) of the positive class, or (rows, classes).
        target: (rows,) class codes.
    """
    columns = [(scores, target == 1)]
    if scores.ndim == 2:
        columns = [(column, target == at) for at, column in enumerate(scores.T)]
    fit = _isotonic if method == "isotonic" else _sigmoid
    fitted = [fit(column, truth.astype(np.float64)) for column, truth in columns]
    return Calibration(method, tuple(one[0] for one in fitted), tuple(one[1] for one in fitted))


def cross_fitted(method: str, scores: Scores, target: Codes, folds: Codes) -> Scores:
    """Correct each fold's scores by what the other folds say, so that no row judges itself."""
    corrected = np.empty_like(scores)
    for fold in np.unique(folds):
        held_out = folds == fold
        calibration = fit_calibration(method, scores[~held_out], target[~held_out])
        corrected[held_out] = calibration.apply(scores[held_out])
    return corrected


def _log_odds(scores: Vector) -> Vector:
    sure = np.clip(scores, _TINY, 1 - _TINY)
    odds: Vector = np.log(sure) - np.log1p(-sure)
    return odds


def _isotonic(scores: Vector, truth: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from sklearn.isotonic import IsotonicRegression

    # No finite number of rows shows that something never happens.
    lowest = 1 / (len(truth) + 2)
    fitted = IsotonicRegression(y_min=lowest, y_max=1 - lowest, out_of_bounds="clip")
    fitted.fit(scores, truth)
    return tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())


def _sigmoid(scores: Vector, truth: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from sklearn.linear_model import LogisticRegression

    if truth.min() == truth.max():  # a class that no row has, or every row: nothing to learn
        return (1.0, 0.0), ()
    fitted = LogisticRegression(C=1e6).fit(_log_odds(scores)[:, None], truth)
    return (float(fitted.coef_[0, 0]), float(fitted.intercept_[0])), ()


def expected_error(scores: Scores, target: Codes, bins: int = 10) -> float:
    """Return the expected calibration error of the likeliest class (or of the positive one): 0 is best."""
    likely, hit = scores, target == 1
    if scores.ndim == 2:
        likely, hit = scores.max(axis=1), scores.argmax(axis=1) == target
    at = np.clip((likely * bins).astype(np.int64), 0, bins - 1)
    gaps = np.bincount(at, likely - hit, bins)
    return float(np.abs(gaps).sum() / len(target))
