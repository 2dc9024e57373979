"""What the report draws of scored test rows, and the scores of each class.

scikit-learn has the curves as well, and takes longer to import than a small model to train.
"""

import numpy as np

from lightmodel.contract.cells import Codes, Scores, Vector
from lightmodel.contract.results import ClassScore, Curves, Point
from lightmodel.contract.task import Task, TaskKind, label_name
from lightmodel.training.metrics import predicted_codes

DRAWN_POINTS = 300
DRAWN_ROWS = 1_000


def class_scores(
    task: Task, target: Vector, scores: Scores, weights: Vector | None
) -> tuple[ClassScore, ...]:
    """Return precision, recall and F1 of each class of several."""
    if task.kind is not TaskKind.MULTICLASS:
        return ()
    codes, decided = target.astype(np.int64), predicted_codes(scores, None)
    counts = np.ones(len(target)) if weights is None else weights
    results = []
    for code, label in enumerate(task.labels):
        truth, chosen = codes == code, decided == code
        true, all_chosen, true_positives = (
            float(counts[rows].sum()) for rows in (truth, chosen, truth & chosen)
        )
        precision = true_positives / all_chosen if chosen.any() else 0.0
        recall = true_positives / true if truth.any() else float("nan")
        f1 = 2 * true_positives / (true + all_chosen) if truth.any() else float("nan")
        results.append(ClassScore(label_name(label), int(truth.sum()), precision, recall, f1))
    return tuple(results)


def draw_curves(
    kind: TaskKind,
    target: Vector,
    scores: Scores,
    threshold: float | None,
    weights: Vector | None,
) -> Curves:
    """Return the data of the report's plots; the confusion matrix and the histograms count rows."""
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
    return _binary_curves(codes, scores, table, weights)


def _binary_curves(
    target: Codes,
    scores: Scores,
    confusion: tuple[tuple[int, ...], ...],
    weights: Vector | None,
) -> Curves:
    has_both = len(np.unique(target)) == 2
    calibration, calibration_rows = calibration_points(target, scores, weights)
    edges = np.linspace(0, 1, 41)
    return Curves(
        roc=_thinned(*roc(target, scores, weights)) if has_both else (),
        precision_recall=_thinned(*precision_recall(target, scores, weights)) if has_both else (),
        calibration=calibration,
        calibration_rows=calibration_rows,
        confusion=confusion,
        score_edges=tuple(edges.tolist()),
        score_negative=tuple(np.histogram(scores[target == 0], edges)[0].tolist()),
        score_positive=tuple(np.histogram(scores[target == 1], edges)[0].tolist()),
    )


def roc(target: Codes, scores: Scores, weights: Vector | None = None) -> tuple[Vector, Vector]:
    """Return the false and the true positive rates from (0, 0) to (1, 1), at the corners of the curve."""
    false_positives, true_positives = _counts(target, scores, weights)
    turns = (np.diff(false_positives, 2) != 0) | (np.diff(true_positives, 2) != 0)
    corners = np.concatenate([[True], turns, [True]])
    return (
        false_positives[corners] / false_positives[-1],
        true_positives[corners] / true_positives[-1],
    )


def precision_recall(
    target: Codes, scores: Scores, weights: Vector | None = None
) -> tuple[Vector, Vector]:
    """Return recall, which falls from 1 to 0, and the precision at each."""
    false_positives, true_positives = _counts(target, scores, weights)
    selected = false_positives + true_positives
    precision = np.divide(true_positives, selected, out=np.ones(len(selected)), where=selected > 0)
    return true_positives[::-1] / true_positives[-1], precision[::-1]


def _counts(target: Codes, scores: Scores, weights: Vector | None) -> tuple[Vector, Vector]:
    """Return the weights of false and of true positives: 0 and 0, then those down to each score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan))
    counts = np.ones(len(target)) if weights is None else weights[order]
    positives = np.cumsum(counts * target[order])[ends]
    return np.append(0.0, np.cumsum(counts)[ends] - positives), np.append(0.0, positives)


def calibration_points(
    target: Codes, scores: Scores, weights: Vector | None
) -> tuple[tuple[Point, ...], tuple[int, ...]]:
    """Return (mean probability, observed share) and the number of rows of each non-empty bin of ten."""
    bins = np.clip((scores * 10).astype(np.int64), 0, 9)
    rows = np.bincount(bins, minlength=10)
    used = rows > 0
    counts = np.ones(len(target)) if weights is None else weights
    totals = np.bincount(bins, counts, 10)[used]
    predicted = np.bincount(bins, counts * scores, 10)[used] / totals
    observed = np.bincount(bins, counts * target, 10)[used] / totals
    return _points(predicted, observed), tuple(rows[used].tolist())


def _points(x: Vector, y: Vector) -> tuple[Point, ...]:
    return tuple(zip(x.tolist(), y.tolist(), strict=True))


def _thinned(x: Vector, y: Vector) -> tuple[Point, ...]:
    """Return at most DRAWN_POINTS evenly spaced points, with both ends."""
    kept = np.unique(np.linspace(0, len(x) - 1, DRAWN_POINTS).astype(np.int64))
    return _points(x[kept], y[kept])
