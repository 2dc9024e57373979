"""Charts of predictions against true values: confusion matrix, predicted and actual, residuals."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lightmodel.contract.cells import Matrix
from lightmodel.contract.results import Evaluation, Point
from lightmodel.report.formatting import compact, count, percent, shortened
from lightmodel.report.plots import canvas
from lightmodel.report.plots.canvas import DASHED, INK, ONE, SIZE, TWO, Chart

MAX_CLASSES = 40
_WITH_COUNTS = 12
_WITH_SHARES = 20
_NARROW = 5


def confusion(evaluation: Evaluation) -> Chart | None:
    """Draw a heat map of true labels (down) against predicted ones (across)."""
    labels, counts = evaluation.labels, evaluation.curves.confusion
    if not labels or [len(row) for row in counts] != [len(labels)] * len(labels):
        return None
    cells = np.array(counts, np.float64)
    if not cells.any():
        return None
    kept = np.sort(np.argsort(-cells.sum(axis=1), kind="stable")[:MAX_CLASSES])
    cells, names = cells[np.ix_(kept, kept)], [labels[index] for index in kept]
    wide = len(names) > _WITH_COUNTS
    size = (680.0, 590.0) if wide else SIZE if len(names) <= _NARROW else (460.0, 420.0)
    accuracy = percent(float(np.trace(cells) / cells.sum())) if cells.any() else ""
    alt = f"Confusion matrix of {len(names)} classes; {accuracy} of the rows are on the diagonal."
    note = "Blue cells are correct, orange ones are errors; shares are per true class."
    if len(labels) > MAX_CLASSES:
        note += f" Only the {MAX_CLASSES} largest of {count(len(labels))} classes are shown."

    def draw(figure: Figure) -> None:
        _heat_map(figure.subplots(), cells, names)

    drawn = canvas.chart("confusion", "Confusion matrix", alt, note, draw, size)
    return replace(drawn, wide=wide)


def predicted_actual(evaluation: Evaluation) -> Chart | None:
    """Draw each row's actual number against the predicted one."""
    points = canvas.drawable(evaluation.curves.predicted_actual)
    if not points:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        low, high = _span([value for point in points for value in point])
        axes.plot([low, high], [low, high], linewidth=1.2, **DASHED)
        _dots(axes, points)
        canvas.label_axes(axes, "predicted", "actual")
        axes.set(xlim=(low, high), ylim=(low, high))

    note = f"{count(len(points))} test rows; on the dashed line, predictions are exact."
    alt = f"Predicted against actual value of {count(len(points))} test rows."
    return canvas.chart("actual", "Predicted and actual", alt, note, draw)


def residuals(evaluation: Evaluation) -> Chart | None:
    """Draw the residual of each prediction."""
    known = canvas.drawable(evaluation.curves.predicted_actual)
    points = [(predicted, actual - predicted) for predicted, actual in known]
    if not points:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(0, linewidth=1.2, **DASHED)
        _dots(axes, points)
        canvas.label_axes(axes, "predicted", "actual minus predicted")
        axes.set_xlim(_span([x for x, _ in points]))
        far = max(abs(y) for _, y in points) or 1.0
        axes.set_ylim(-1.08 * far, 1.08 * far)

    note = "A shapeless cloud is good; a bend or a funnel shows a pattern that the model misses."
    alt = f"Residuals of {count(len(points))} test rows against the prediction."
    return canvas.chart("residuals", "Residuals", alt, note, draw)


def _heat_map(axes: Axes, cells: Matrix, names: list[str]) -> None:
    total = np.maximum(cells.sum(axis=1, keepdims=True), 1)
    classes = len(names)
    for row, column in zip(*np.nonzero(cells), strict=True):
        share = cells[row, column] / total[row, 0]
        axes.add_patch(
            Rectangle(
                (column - 0.48, row - 0.48), 0.96, 0.96, linewidth=0,
                facecolor=ONE if row == column else TWO, alpha=0.07 + 0.43 * share,
            )
        )  # fmt: skip
        _write_cell(axes, (column, row), cells[row, column], share, classes)
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5))
    _name_classes(axes, names)


def _write_cell(
    axes: Axes, place: tuple[int, int], rows: float, share: float, classes: int
) -> None:
    """Write count and share, only the share, or nothing, depending on the room in a cell."""
    if classes > _WITH_COUNTS:
        if classes <= _WITH_SHARES:
            axes.text(*place, f"{100 * share:.0f}", ha="center", va="center", fontsize=9)
        return
    roomy = classes <= _NARROW
    number, large = (count(int(rows)), 13.0) if roomy else (compact(rows), 10.5)
    for text, size, side, gap in (
        (number, large, "bottom", 0),
        (percent(share, 0), 9.5, "top", -2),
    ):
        axes.annotate(
            text, place, (0, gap), textcoords="offset points", ha="center", va=side, fontsize=size
        )


def _name_classes(axes: Axes, names: list[str]) -> None:
    texts = [shortened(name, 16) for name in names]
    size = 10 if len(names) <= _WITH_SHARES else 7
    slanted = max(map(len, texts)) * len(texts) > (50 if len(texts) <= _NARROW else 80)
    places = range(len(names))
    axes.set_yticks(places, texts, fontsize=size, color=INK)
    axes.set_xticks(places, texts, fontsize=size, color=INK)
    if slanted:
        axes.tick_params(axis="x", labelrotation=40)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _span(values: list[float]) -> Point:
    """Return axis limits with a margin, also around a single value."""
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _dots(axes: Axes, points: Sequence[Point]) -> None:
    axes.plot(
        *zip(*points, strict=True), "o", color=ONE, markersize=4, markeredgewidth=0, alpha=0.4
    )
