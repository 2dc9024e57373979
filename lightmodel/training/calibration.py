"""Calibration of probabilities, fitted on out-of-fold scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lightmodel.contract.cells import Codes, Scores, Vector

_TINY = 1e-15


@dataclass(frozen=True)
class Calibration:
    """A monotone calibration map for each class; binary scores have one.

    Attributes:
        method: "sigmoid" (a linear map of the log-odds) or "isotonic".
        x: for each class: slope and offset (sigmoid), or ascending scores (isotonic).
        y: for each class: nothing (sigmoid), or the calibrated probabilities of those scores.
    """

    method: str
    x: tuple[tuple[float, ...], ...]
    y: tuple[tuple[float, ...], ...]

    def apply(self, scores: Scores) -> Scores:
        """Calibrate scores, (rows,) or (rows, classes); those of several classes still add up to 1."""
        if scores.ndim == 1:
            return self._correct(scores, 0)
        columns = [self._correct(column, code) for code, column in enumerate(scores.T)]
        calibrated = np.column_stack(columns)
        normalized: Scores = calibrated / calibrated.sum(axis=1, keepdims=True)
        return normalized

    def _correct(self, scores: Vector, code: int) -> Vector:
        if self.method == "isotonic":
            corrected: Vector = np.interp(scores, self.x[code], self.y[code])
            return corrected
        slope, offset = self.x[code]
        probability: Vector = 1 / (1 + np.exp(-(slope * _log_odds(scores) + offset)))
        return np.clip(probability, _TINY, 1 - _TINY)

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration in JSON types."""
        return {"method": self.method, "across": self.x, "up": self.y}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Calibration":
        """Restore a calibration from what `to_dict` returned."""
        x, y = (tuple(tuple(one) for one in content[key]) for key in ("across", "up"))
        return cls(content["method"], x, y)


def fit_calibration(
    method: str, scores: Scores, target: Codes, weights: Vector | None = None
) -> Calibration:
    """Fit a calibration on scores of rows that the model was not trained on.

    Args:
        method: "sigmoid" or "isotonic".
        scores: (rows,) of the positive class, or (rows, classes).
        target: (rows,) class codes.
        weights: (rows,) weight of each row; None: all count the same.
    """
    columns = [(scores, target == 1)]
    if scores.ndim == 2:
        columns = [(column, target == code) for code, column in enumerate(scores.T)]
    fit = _isotonic if method == "isotonic" else _sigmoid
    fitted = [fit(column, truth.astype(np.float64), weights) for column, truth in columns]
    return Calibration(method, tuple(one[0] for one in fitted), tuple(one[1] for one in fitted))


def cross_fit_calibration(
    method: str, scores: Scores, target: Codes, folds: Codes, weights: Vector | None = None
) -> Scores:
    """Calibrate the scores of each fold on those of the other folds, never on the row itself."""
    corrected = np.empty_like(scores)
    for fold in np.unique(folds):
        held_out = folds == fold
        others = None if weights is None else weights[~held_out]
        calibration = fit_calibration(method, scores[~held_out], target[~held_out], others)
        corrected[held_out] = calibration.apply(scores[held_out])
    return corrected


def _log_odds(scores: Vector) -> Vector:
    clipped = np.clip(scores, _TINY, 1 - _TINY)
    log_odds: Vector = np.log(clipped) - np.log1p(-clipped)
    return log_odds


def _isotonic(
    scores: Vector, truth: Vector, weights: Vector | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from sklearn.isotonic import IsotonicRegression

    # No finite number of rows justifies a probability of exactly 0 or 1.
    lowest = 1 / (len(truth) + 2)
    fitted = IsotonicRegression(y_min=lowest, y_max=1 - lowest, out_of_bounds="clip")
    fitted.fit(scores, truth, sample_weight=weights)
    return tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist())


def _sigmoid(
    scores: Vector, truth: Vector, weights: Vector | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from sklearn.linear_model import LogisticRegression

    if truth.min() == truth.max():  # no row has the class, or every row has it: keep the scores
        return (1.0, 0.0), ()
    fitted = LogisticRegression(C=1e6).fit(_log_odds(scores)[:, None], truth, sample_weight=weights)
    return (float(fitted.coef_[0, 0]), float(fitted.intercept_[0])), ()


def expected_calibration_error(
    scores: Scores, target: Codes, weights: Vector | None = None, bins: int = 10
) -> float:
    """Return the expected calibration error of the predicted (or the positive) class; 0 is best."""
    probability, hit = scores, target == 1
    if scores.ndim == 2:
        probability, hit = scores.max(axis=1), scores.argmax(axis=1) == target
    bin_of_row = np.clip((probability * bins).astype(np.int64), 0, bins - 1)
    counts = np.ones(len(target)) if weights is None else weights
    gaps = np.bincount(bin_of_row, counts * (probability - hit), bins)
    return float(np.abs(gaps).sum() / counts.sum())
