"""Charts of training: metrics by fold, learning curves and feature importance."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightmodel.contract.results import FoldReport, Importance
from lightmodel.report.formatting import (
    compact,
    count,
    lower_is_better,
    metric_title,
    number,
    percent,
    shortened,
)
from lightmodel.report.plots import canvas
from lightmodel.report.plots.canvas import DASHED, INK, MUTED, ONE, TWO, Chart

_BAR = 17.0  # points of height for each feature


def folds(reports: Sequence[FoldReport], metric: str, tested: float | None) -> Chart | None:
    """Draw `metric` of each fold, their mean, its value on the test rows, and the rounds kept."""
    points = canvas.drawable(
        (float(fold.fold), fold.metrics.get(metric, math.nan)) for fold in reports
    )
    if not points:
        return None
    rounds = [(fold.fold, fold.rounds) for fold in reports if fold.rounds > 1]
    mean = float(np.mean([value for _, value in points]))

    def draw(figure: Figure) -> None:
        panels = figure.subplots(2, 1, sharex=True, height_ratios=[5, 2]) if rounds else None
        axes = figure.subplots() if panels is None else panels[0]
        _draw_folds(axes, points, mean, tested)
        canvas.label_axes(axes, "" if rounds else "fold", metric_title(metric))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        if panels is not None:
            _draw_rounds(panels[1], rounds)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))
        axes.set_xlim(min(x for x, _ in points) - 0.6, max(x for x, _ in points) + 0.6)

    better = "Lower" if lower_is_better(metric) else "Higher"
    note = f"{better} is better. Widely spread dots mean that a single fold is unreliable."
    alt = f"{metric_title(metric)} of {len(points)} folds; mean {number(mean)}."
    return canvas.chart("folds", f"{metric_title(metric)} by fold", alt, note, draw)


def learning(reports: Sequence[FoldReport]) -> Chart | None:
    """Draw each fold's validation loss round by round, with a dot where its rounds end."""
    lines = [(canvas.drawable(fold.curve), fold.rounds) for fold in reports]
    lines = [(curve, rounds) for curve, rounds in lines if len(curve) > 1]
    if not lines:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for curve, rounds in lines:
            x, y = zip(*sorted(curve), strict=True)
            axes.plot(x, y, color=ONE, linewidth=1, alpha=0.55)
            kept = min(max(rounds, x[0]), x[-1])
            axes.plot(kept, np.interp(kept, x, y), "o", color=TWO, markersize=4.5)
        canvas.label_axes(axes, "round", "validation loss")

    note = "One line per fold; the dot marks the round that was kept."
    alt = f"Validation loss by round of {len(lines)} folds."
    return canvas.chart("learning", "Learning curves", alt, note, draw)


def importance_png(importance: Sequence[Importance], top: int = 30, *, kind: str = "gain") -> bytes:
    """Draw the `top` features with the largest gain as a PNG on white; the same bytes each time.

    If the learner has no gains, the picture says so. With `kind` "split", draw how often the model
    splits on a feature instead.
    """
    pairs = [(each.feature, each.split if kind == "split" else each.gain) for each in importance]
    known = [(name, value) for name, value in pairs if abs(value) < canvas.LARGEST]
    if not known:
        return canvas.text_png("This estimator does not report feature importance.")
    known.sort(key=lambda pair: (-pair[1], pair[0]))
    shown = known[:top]
    total = sum(value for _, value in known)
    has_shares = total > 0 and known[-1][1] >= 0

    def draw(figure: Figure) -> None:
        _draw_bars(figure.subplots(), shown, total if has_shares else math.nan)
        more = f", the first {len(shown)} of {count(len(known))}" if len(known) > top else ""
        figure.suptitle(f"Feature importance ({kind}){more}", fontsize=12, ha="left", x=0.01)

    return canvas.png((680, 76 + _BAR * len(shown)), draw)


def _draw_bars(axes: Axes, features: Sequence[tuple[str, float]], total: float) -> None:
    """Draw a bar per value, labelled with its share of the total, or the value if that is NaN."""
    places = range(len(features))
    gains = [gain for _, gain in features]
    axes.barh(places, gains, color=ONE, alpha=0.75, height=0.66)
    for place, gain in zip(places, gains, strict=True):
        text = compact(float(f"{gain:.3g}")) if math.isnan(total) else percent(gain / total)
        axes.annotate(
            text, (max(gain, 0), place), (4, 0), textcoords="offset points", va="center",
            color=MUTED, fontsize=9.5,
        )  # fmt: skip
    names = [shortened(name, 42) for name, _ in features]
    if len(set(names)) < len(names):  # the rank leads to the full name in the report
        names = [f"{name} ({rank})" for rank, name in enumerate(names, 1)]
    axes.set_yticks(places, names, color=INK)
    axes.set(xticks=[], ylim=(len(features) - 0.4, -0.6))
    low = min([0.0, *gains])
    axes.set_xlim(low, max([0.0, *gains]) + 0.09 * (max(gains) - low or 1.0))
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def _draw_folds(
    axes: Axes, points: Sequence[tuple[float, float]], mean: float, tested: float | None
) -> None:
    label = f"mean of the folds {number(mean)}"
    axes.axhline(mean, linewidth=1.3, label=label, **DASHED)
    if tested is not None and canvas.drawable([(0.0, tested)]):
        axes.axhline(tested, color=TWO, linewidth=1.3, label=f"test rows {number(tested)}")
    axes.plot(*zip(*points, strict=True), "o", color=ONE, markersize=6)
    canvas.add_legend(axes)


def _draw_rounds(axes: Axes, rounds: Sequence[tuple[int, int]]) -> None:
    places, heights = zip(*rounds, strict=True)
    axes.bar(places, heights, color=MUTED, alpha=0.45, width=0.6)
    canvas.label_axes(axes, "fold", "rounds")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    axes.set_ylim(0, 1.15 * max(heights))
