"""The curves of a report: ROC, precision and recall, calibration, scores.

scikit-learn has the first two, and takes longer to import than a small model to train.
"""

import numpy as np

from lightmodel.contract.cells import Codes, Scores, Vector
from lightmodel.contract.results import Curves, Point
from lightmodel.contract.task import TaskKind
from lightmodel.training.metrics import predicted_codes

DRAWN_POINTS = 300
DRAWN_ROWS = 1_000


def evaluation_curves(
    kind: TaskKind, target: Vector, scores: Scores, threshold: float | None
) -> Curves:
    """Return the points of the charts of a report, at most some hundreds of each."""
    if kind is TaskKind.REGRESSION:
        step = max(1, -(-len(target) // DRAWN_ROWS))
        return Curves(predicted_actual=_points(scores[::step], target[::step]))
    codes = target.astype(np.int64)
    decided = predicted_codes(scores, threshold)
    classes = 2 if kind is TaskKind.BINARY else scores.shape[1]
    confusion = np.bincount(codes * classes + decided, minlength=classes**2)
    table = tuple(tuple(row) for row in confusion.reshape(classes, classes).tolist())
    if kind is TaskKind.MULTICLASS:
        return Curves(confusion=table)
    return _binary_curves(codes, scores, table)


def _binary_curves(target: Codes, scores: Scores, confusion: tuple[tuple[int, ...], ...]) -> Curves:
    has_both = len(np.unique(target)) == 2
    calibration, calibration_rows = calibration_points(target, scores)
    edges = np.linspace(0, 1, 41)
    return Curves(
        roc=_thinned(*roc(target, scores)) if has_both else (),
        precision_recall=_thinned(*precision_recall(target, scores)) if has_both else (),
        calibration=calibration,
        calibration_rows=calibration_rows,
        confusion=confusion,
        score_edges=tuple(edges.tolist()),
        score_negative=tuple(np.histogram(scores[target == 0], edges)[0].tolist()),
        score_positive=tuple(np.histogram(scores[target == 1], edges)[0].tolist()),
    )


def roc(target: Codes, scores: Scores) -> tuple[Vector, Vector]:
    """Return the false and the true positive rates from (0, 0) to (1, 1), at the corners of the curve."""
    false_positives, true_positives = _counts(target, scores)
    turns = (np.diff(false_positives, 2) != 0) | (np.diff(true_positives, 2) != 0)
    corners = np.concatenate([[True], turns, [True]])
    return (
        false_positives[corners] / false_positives[-1],
        true_positives[corners] / true_positives[-1],
    )


def precision_recall(target: Codes, scores: Scores) -> tuple[Vector, Vector]:
    """Return recall, which falls from 1 to 0, and the precision at each."""
    false_positives, true_positives = _counts(target, scores)
    selected = false_positives + true_positives
    precision = np.divide(true_positives, selected, out=np.ones(len(selected)), where=selected > 0)
    return true_positives[::-1] / true_positives[-1], precision[::-1]


def _counts(target: Codes, scores: Scores) -> tuple[Vector, Vector]:
    """Return the numbers of false and of true positives: 0 and 0, then those down to each score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan))
    positives = np.cumsum(target[order], dtype=np.float64)[ends]
    return np.append(0.0, ends + 1 - positives), np.append(0.0, positives)


def calibration_points(target: Codes, scores: Scores) -> tuple[tuple[Point, ...], tuple[int, ...]]:
    """Return (mean probability, observed share) and the number of rows of each non-empty bin of ten."""
    bins = np.clip((scores * 10).astype(np.int64), 0, 9)
    rows = np.bincount(bins, minlength=10)
    used = rows > 0
    predicted = np.bincount(bins, scores, 10)[used] / rows[used]
    observed = np.bincount(bins, target, 10)[used] / rows[used]
    return _points(predicted, observed), tuple(rows[used].tolist())


def _points(x: Vector, y: Vector) -> tuple[Point, ...]:
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _thinned(x: Vector, y: Vector) -> tuple[Point, ...]:
    """Return at most DRAWN_POINTS evenly spaced points, with both ends."""
    kept = np.unique(np.linspace(0, len(x) - 1, DRAWN_POINTS).astype(np.int64))
    return _points(x[kept], y[kept])
