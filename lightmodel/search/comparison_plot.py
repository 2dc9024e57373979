"""Chart of a comparison: each contender's folds, their mean, and what it costs."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightmodel.contract.metrics import Metric
from lightmodel.report.formatting import number, shortened
from lightmodel.report.plots import canvas
from lightmodel.report.plots.canvas import INK, MUTED, ONE, TWO
from lightmodel.search.entries import Standing

_LINE = 27.0  # points of height for each contender
_OUTLIER = 4.0  # times the spread of the better half: further off, an axis would show nothing else


def comparison_png(standings: Sequence[Standing], metric: Metric) -> bytes:
    """Draw contenders by the deciding metric, the best on top, as a PNG on white.

    A dot is a fold; the diamond is their mean, and the bar one standard deviation to either side. What
    is far worse than the others is named at the edge. Those that finished without a score are left out.
    """
    known = [one for one in standings if math.isfinite(one.mean[metric.name])]
    if not known:
        return canvas.png((560, 120), _draw_absence)

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[4, 1])
        _draw_scores(left, known, metric)
        _draw_seconds(right, known)
        better = "higher" if metric.higher_is_better else "lower"
        figure.suptitle(
            f"{metric.title} by cross-validation ({better} is better)",
            fontsize=12, ha="left", x=0.01,
        )  # fmt: skip

    return canvas.png((760, 110 + _LINE * len(known)), draw)


def _draw_scores(axes: Axes, standings: Sequence[Standing], metric: Metric) -> None:
    name = metric.name
    low, high = _limits(standings, name, higher_is_better=metric.higher_is_better)
    for place, one in enumerate(standings):
        colour = ONE if one.is_tied else MUTED
        mean = one.mean[name]
        if not low <= mean <= high:
            _point_off(axes, place, mean, low, high)
            continue
        spread = one.spread[name] if math.isfinite(one.spread[name]) else 0.0
        axes.plot([mean - spread, mean + spread], [place, place], color=colour, alpha=0.35,
                  linewidth=9, solid_capstyle="butt")  # fmt: skip
        dots = [fold.get(name, math.nan) for fold in one.showing.folds]
        axes.plot(dots, [place] * len(dots), "o", color=colour, markersize=3.6, alpha=0.6)
        axes.plot(mean, place, "D", color=TWO if place == 0 else colour, markersize=6.5)
        axes.annotate(
            number(mean), (1, place), (-2, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="center", color=INK, fontsize=10,
        )  # fmt: skip
    best = standings[0].mean[name]
    axes.axvline(best, color=TWO, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    axes.plot([], [], "D", color=TWO, markersize=6.5, label="the best")
    if any(one.is_tied for one in standings[1:]):
        axes.plot([], [], "D", color=ONE, markersize=6.5, label="behind it by no more than chance")
    if not all(one.is_tied for one in standings):
        axes.plot([], [], "D", color=MUTED, markersize=6.5, label="clearly behind")
    canvas.name_lines(axes)
    canvas.label_axes(axes, f"{metric.title} of the folds held out", "")
    room = 0.17 * (high - low)
    axes.set_xlim(low - 0.03 * (high - low), high + room)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_yticks(
        range(len(standings)), [shortened(one.showing.name, 32) for one in standings], color=INK
    )
    axes.set_ylim(len(standings) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _limits(
    standings: Sequence[Standing], name: str, *, higher_is_better: bool
) -> tuple[float, float]:
    """Give the span of values to show: all folds, but for contenders that are far off."""
    half = standings[: max(2, (len(standings) + 1) // 2)]
    values = [fold.get(name, math.nan) for one in half for fold in one.showing.folds]
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    reach = _OUTLIER * ((high - low) or abs(high) or 1.0)
    near = [
        one for one in standings
        if (one.mean[name] >= low - reach if higher_is_better else one.mean[name] <= high + reach)
    ]  # fmt: skip
    shown = [fold.get(name, math.nan) for one in near for fold in one.showing.folds]
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    margin = 0.0 if high > low else (abs(high) or 1.0) * 0.01
    return low - margin, high + margin


def _point_off(axes: Axes, place: int, mean: float, low: float, high: float) -> None:
    worse_left = mean < low
    axes.annotate(
        f"◀ {number(mean)}" if worse_left else f"{number(mean)} ▶", (low if worse_left else high, place),
        ha="left" if worse_left else "right", va="center", color=MUTED, fontsize=10,
    )  # fmt: skip


def _draw_seconds(axes: Axes, standings: Sequence[Standing]) -> None:
    seconds = [max(one.showing.fit_seconds, 1e-3) for one in standings]
    places = range(len(standings))
    axes.barh(places, seconds, color=MUTED, alpha=0.45, height=0.5)
    for place, value in zip(places, seconds, strict=True):
        axes.annotate(
            f"{value:,.2g}" if value < 10 else f"{value:,.0f}", (value, place), (4, 0),
            textcoords="offset points", va="center", color=MUTED, fontsize=9.5,
        )  # fmt: skip
    axes.set(xlabel="seconds to train", xticks=[])
    axes.set_xlim(0, 1.45 * max(seconds))
    axes.tick_params(axis="y", labelleft=False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)


def _draw_absence(figure: Figure) -> None:
    figure.text(0.5, 0.5, "No contender has a score that can be drawn.", ha="center")
