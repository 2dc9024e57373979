"""Charts of a binary model's probabilities: ranking, calibration and decision threshold."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightmodel.contract.cells import Vector
from lightmodel.contract.results import Evaluation, Point
from lightmodel.report.formatting import compact, count, number, percent, shortened
from lightmodel.report.plots import canvas
from lightmodel.report.plots.canvas import DASHED, INK, MUTED, ONE, PAPER, TWO, Chart

_NORMAL_95 = 1.96
_Cells = tuple[tuple[int, ...], ...]


def roc(evaluation: Evaluation) -> Chart | None:
    """Draw true against false positives, and the area under it."""
    points = canvas.drawable(evaluation.curves.roc)
    if len(points) < 2:
        return None
    facts = []
    if "auc" in evaluation.metrics:
        facts.append(f"AUC {number(evaluation.metrics['auc'].value)}")
    if evaluation.best_reachable is not None:
        facts.append(f"best reachable {number(evaluation.best_reachable)}")
    facts.append(f"dummy {number(0.5)}")

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], linewidth=1.2, **DASHED)
        _line(axes, points)
        for row, fact in enumerate(facts):
            height = 0.05 + 0.075 * (len(facts) - 1 - row)
            weight, colour = ("bold", INK) if fact.startswith("AUC") else ("normal", MUTED)
            axes.text(0.985, height, fact, ha="right", color=colour, weight=weight)
        _mark(axes, _rates(evaluation.curves.confusion))
        _unit_square(axes, "false positive rate", "true positive rate")

    note = "How well the scores rank the rows, at every threshold at once"
    alt = f"ROC curve; {', '.join(facts)}."
    return canvas.chart("roc", "ROC", alt, _with_dot(note, evaluation), draw)


def precision_recall(evaluation: Evaluation) -> Chart | None:
    """Draw precision against recall, and the share of positives, which chance would reach."""
    points = canvas.drawable(evaluation.curves.precision_recall)
    if len(points) < 2:
        return None
    base = _base_rate(evaluation)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        if base is not None:
            axes.axhline(base, linewidth=1.2, **DASHED)
            text = f"positives among all rows {percent(base)}"
            height, side = (base + 0.02, "bottom") if base < 0.85 else (base - 0.02, "top")
            axes.text(0.015, height, text, color=MUTED, va=side)
        _line(axes, points)
        _mark(axes, _recall_precision(evaluation.curves.confusion))
        _unit_square(axes, "recall", "precision")

    note = _with_dot("How precise the positive predictions are at each recall", evaluation)
    alt = "Precision and recall at every threshold."
    return canvas.chart("pr", "Precision and recall", alt, note, draw)


def calibration(evaluation: Evaluation) -> Chart | None:
    """Draw the observed share of positives against the predicted one, and the rows in each bin."""
    rows = evaluation.curves.calibration_rows or (0,) * len(evaluation.curves.calibration)
    bins = [
        (point, size)
        for point, size in zip(evaluation.curves.calibration, rows, strict=False)
        if canvas.drawable([point])
    ]
    if not bins:
        return None
    points, sizes = zip(*bins, strict=True)
    effect = evaluation.calibration
    before = canvas.drawable(effect.curve) if effect else []

    def draw(figure: Figure) -> None:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        limit = min(1.02, 1.1 * max(max(0.01, *point) for point in [*points, *before]))
        axes.plot([0, 1], [0, 1], linewidth=1.2, **DASHED)
        for (predicted, share), size in bins:
            axes.plot([predicted] * 2, _wilson(share, size), color=ONE, linewidth=1, alpha=0.5)
        if before:
            axes.plot(
                *zip(*before, strict=True), color=TWO, marker="s", markersize=3.5, linewidth=1,
                label="before",
            )  # fmt: skip
            axes.plot([], [], color=ONE, marker="o", markersize=4.5, label="calibrated")
            axes.legend(loc="upper left")
        axes.plot(*zip(*points, strict=True), color=ONE, marker="o", markersize=4.5)
        canvas.label_axes(axes, "", "observed share")
        axes.set(xlim=(-0.02 * limit, limit), ylim=(-0.02 * limit, limit))
        _draw_sizes(below, [x for x, _ in points], sizes, limit)

    note = (
        "On the dashed line, probabilities equal the observed shares. Thin bars are 95 % intervals; "
        "the lower panel shows the rows in each bin."
    )
    alt = f"Calibration in {len(bins)} bins: predicted against observed share of positives"
    alt += ", before and after calibration." if before else "."
    return canvas.chart("calibration", "Calibration", alt, note, draw)


def score_histogram(evaluation: Evaluation) -> Chart | None:
    """Draw the distribution of the scores of each class, and the threshold."""
    both = _histograms(evaluation)
    if both is None:
        return None
    edges = evaluation.curves.score_edges

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for counts, label, colour in zip(both, _two_labels(evaluation), (MUTED, ONE), strict=True):
            shares = counts / max(counts.sum(), 1)
            name = f"{label} ({count(int(counts.sum()))} rows)"
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.3)
            axes.stairs(shares, edges, color=colour, linewidth=1.4, label=name)
        canvas.label_axes(axes, "predicted probability", "share of the class' rows")
        axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
        _draw_threshold(axes, evaluation.threshold, (edges[0], edges[-1]))
        canvas.add_legend(axes)

    note = "The less the classes overlap, the better. Each class adds up to 100 %."
    alt = "Histogram of the predicted probability for either class."
    return canvas.chart("scores", "Scores by class", alt, note, draw)


def decision(evaluation: Evaluation) -> Chart | None:
    """Draw precision, recall and F1 by threshold, at the edges of the histogram."""
    both = _histograms(evaluation)
    if both is None or not both[1].sum():
        return None
    edges = np.array(evaluation.curves.score_edges[:-1])
    fp, tp = (counts[::-1].cumsum()[::-1] for counts in both)
    recall = tp / both[1].sum()
    precision = np.where(fp + tp > 0, tp / np.maximum(fp + tp, 1), np.nan)
    f1 = 2 * tp / (fp + tp + both[1].sum())

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot(edges, precision, color=ONE, label="precision")
        axes.plot(edges, recall, color=ONE, linestyle=(0, (4, 2)), label="recall")
        axes.plot(edges, f1, color=MUTED, label="F1")
        _unit_square(axes, "threshold", "")
        axes.set_ylim(-0.01, 1.13)
        _draw_threshold(axes, evaluation.threshold, (0.0, 1.0))
        canvas.add_legend(axes)

    note = "Metrics on the test rows by threshold. Its choice did not use these rows."
    alt = "Precision, recall and F1 by threshold."
    return canvas.chart("decision", "Metrics by threshold", alt, note, draw)


def _line(axes: Axes, points: Sequence[Point]) -> None:
    x, y = zip(*points, strict=True)
    axes.plot(x, y, color=ONE)
    axes.fill_between(x, y, color=ONE, alpha=0.08, linewidth=0)


def _unit_square(axes: Axes, x: str, y: str) -> None:
    canvas.label_axes(axes, x, y)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))


def _mark(axes: Axes, point: Point | None) -> None:
    """Mark the model's operating point at its threshold."""
    if point is not None:
        axes.plot(*point, marker="o", markersize=8, color=TWO, markeredgecolor=PAPER, zorder=5)


def _with_dot(note: str, evaluation: Evaluation) -> str:
    if _rates(evaluation.curves.confusion) is None or evaluation.threshold is None:
        return f"{note}."
    return f"{note}. The dot marks the threshold {number(evaluation.threshold, 3)}."


def _rates(cells: _Cells) -> Point | None:
    """Return (false, true) positive rate."""
    if len(cells) != 2 or not all(len(row) == 2 and sum(row) > 0 for row in cells):
        return None
    return cells[0][1] / sum(cells[0]), cells[1][1] / sum(cells[1])


def _recall_precision(cells: _Cells) -> Point | None:
    """Return (recall, precision)."""
    rates = _rates(cells)
    predicted = cells[0][1] + cells[1][1] if rates else 0
    return (rates[1], cells[1][1] / predicted) if rates and predicted else None


def _base_rate(evaluation: Evaluation) -> float | None:
    cells = evaluation.curves.confusion
    return None if _rates(cells) is None else sum(cells[1]) / sum(map(sum, cells))


def _histograms(evaluation: Evaluation) -> tuple[Vector, Vector] | None:
    """Return the counts of each class, if they fit the bins and are not all zero."""
    curves = evaluation.curves
    negative = np.array(curves.score_negative, np.float64)
    positive = np.array(curves.score_positive, np.float64)
    edges = np.array(curves.score_edges, np.float64)
    fits = len(negative) == len(positive) == len(edges) - 1 > 0
    if not fits or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        return None
    return (negative, positive) if negative.sum() + positive.sum() > 0 else None


def _two_labels(evaluation: Evaluation) -> tuple[str, str]:
    labels = [shortened(label, 36) for label in evaluation.labels]
    return (labels[0], labels[1]) if len(labels) == 2 else ("negative", "positive")


def _wilson(share: float, rows: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share observed in `rows` rows."""
    if rows <= 0 or not 0 <= share <= 1:
        return share, share
    z = _NORMAL_95
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(share * (1 - share) / rows + (z / (2 * rows)) ** 2) / (1 + z * z / rows)
    return middle - half, middle + half


def _draw_sizes(axes: Axes, places: Sequence[float], sizes: Sequence[int], limit: float) -> None:
    """Draw a stem for each bin's rows; write the number where there is room."""
    axes.vlines(places, 0, sizes, color=MUTED, linewidth=6, alpha=0.45)
    taken = -math.inf
    for place, size in sorted(zip(places, sizes, strict=True)):
        if place - taken > 0.09 * limit:
            axes.annotate(
                compact(size), (place, size), (0, 2), textcoords="offset points",
                ha="center", color=MUTED, fontsize=9,
            )  # fmt: skip
            taken = place
    canvas.label_axes(axes, "predicted probability", "rows")
    axes.set(ylim=(0, 1.7 * max(1, *sizes, 1)), yticks=[])
    axes.grid(visible=False)


def _draw_threshold(axes: Axes, threshold: float | None, span: tuple[float, float]) -> None:
    if threshold is None or not span[0] <= threshold <= span[1]:
        return
    axes.axvline(threshold, color=TWO, linewidth=1.5)
    left = threshold < (span[0] + span[1]) / 2
    axes.annotate(
        f"threshold {number(threshold, 3)}", (threshold, 0.985), (5 if left else -5, 0),
        xycoords=("data", "axes fraction"), textcoords="offset points",
        ha="left" if left else "right", va="top", color=TWO,
    )  # fmt: skip
