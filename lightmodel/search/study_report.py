"""Report on a study: its best trials, a table of all trials, and a picture."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightmodel.contract.task import Metric
from lightmodel.report.formatting import compact, number
from lightmodel.report.plots import canvas
from lightmodel.report.plots.canvas import INK, MUTED, ONE, TWO
from lightmodel.search.ranges import Range
from lightmodel.search.studies import Trial

_COLUMNS = 4
_WIDTH, _TOP, _ROW = 900.0, 300.0, 170.0


def best_trials(trials: Sequence[Trial], metric: Metric, count: int) -> tuple[Trial, ...]:
    """Return the best of the finished trials, the best first, each set of parameters once."""
    finished = [trial for trial in trials if trial.state == "complete"]
    ranked = sorted(finished, key=lambda one: one.value, reverse=metric.higher_is_better)
    different: dict[tuple[tuple[str, Any], ...], Trial] = {}
    for trial in ranked:
        different.setdefault(tuple(sorted(trial.parameters.items())), trial)
    return tuple(different.values())[:count]


def trial_rows(trials: Sequence[Trial], metric: Metric) -> list[dict[str, object]]:
    """Return a row for each trial: number, state, value, number of folds, times and parameters."""
    return [
        {
            "trial": trial.number,
            "state": trial.state,
            metric.name: trial.value,
            "folds": len(trial.folds),
            "created": trial.created,
            "ended": trial.ended,
            **trial.parameters,
        }
        for trial in trials
    ]


def study_png(trials: Sequence[Trial], ranges: Sequence[Range], metric: Metric) -> bytes:
    """Draw trials by number with the best so far, and below each parameter against the score."""
    known = [trial for trial in trials if math.isfinite(trial.value)]
    if not known:
        return canvas.text_png("No trial has a score yet.")
    rows = -(-len(ranges) // _COLUMNS)

    def draw(figure: Figure) -> None:
        panels = figure.subfigures(2, 1, squeeze=False, height_ratios=[_TOP, _ROW * rows])
        _draw_history(panels[0, 0].subplots(), known, metric)
        grid = panels[1, 0].subplots(rows, min(_COLUMNS, len(ranges)), squeeze=False, sharey=True)
        for axes, one in zip(grid.flat, ranges, strict=False):
            _draw_slice(axes, known, one, metric)
        for axes in grid.flat[len(ranges) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel(metric.title)

    return canvas.png((_WIDTH, _TOP + _ROW * rows), draw)


def _draw_history(axes: Axes, trials: Sequence[Trial], metric: Metric) -> None:
    done, pruned = _by_state(trials)
    low, high = _window(done or pruned)
    _draw_points(axes, pruned, (low, high), f"pruned ({len(pruned)})", MUTED)
    _draw_points(axes, done, (low, high), f"finished ({len(done)})", ONE)
    if done:
        collect = np.maximum if metric.higher_is_better else np.minimum
        so_far = collect.accumulate([trial.value for trial in done])
        places = [trial.number for trial in done]
        best = _best(done, metric)
        label = f"best so far: {number(best.value)} by trial {best.number}"
        last = trials[-1].number
        axes.step([*places, last], [*so_far, so_far[-1]], where="post", color=TWO, label=label)
        axes.plot(best.number, best.value, "o", color=TWO, markersize=7)
    canvas.label_axes(axes, "trial", f"{metric.title}, out of fold")
    axes.set_ylim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    canvas.add_legend(axes)


def _by_state(trials: Sequence[Trial]) -> tuple[list[Trial], list[Trial]]:
    """Return the finished and the pruned trials."""
    done = [trial for trial in trials if trial.state == "complete"]
    return done, [trial for trial in trials if trial.state == "pruned"]


def _best(done: Sequence[Trial], metric: Metric) -> Trial:
    choose = max if metric.higher_is_better else min
    return choose(done, key=lambda trial: trial.value)


def _window(trials: Sequence[Trial]) -> tuple[float, float]:
    """Return the range of scores to show, so that a few bad ones do not squeeze the others."""
    values = [trial.value for trial in trials]
    low, high = np.quantile(values, [0.1, 0.9])
    reach = 1.5 * (high - low)
    low, high = max(min(values), low - reach), min(max(values), high + reach)
    room = 0.08 * (high - low) or 0.01 * abs(high) or 0.01
    return float(low - room), float(high + room)


def _draw_points(
    axes: Axes,
    trials: Sequence[Trial],
    window: tuple[float, float],
    label: str,
    colour: str,
) -> None:
    """Draw dots, and a triangle at the edge for each value outside the window."""
    if not trials:
        return
    low, high = window
    places = np.array([trial.number for trial in trials])
    values = np.array([trial.value for trial in trials])
    style: dict[str, Any] = {"color": colour, "linestyle": "none", "markersize": 5.0, "alpha": 0.8}
    within = (values >= low) & (values <= high)
    axes.plot(places[within], values[within], marker="o", label=label, **style)
    for beyond, edge, marker in ((values < low, low, "v"), (values > high, high, "^")):
        axes.plot(places[beyond], np.full(int(beyond.sum()), edge), marker=marker, **style)


def _draw_slice(axes: Axes, trials: Sequence[Trial], one: Range, metric: Metric) -> None:
    done, pruned = _by_state([trial for trial in trials if one.name in trial.parameters])
    low, high = _window(done or pruned or trials)
    for group, colour, size in ((pruned, MUTED, 3.5), (done, ONE, 5.0)):
        x = [trial.parameters[one.name] for trial in group]
        y = [min(max(trial.value, low), high) for trial in group]
        dots = axes.plot(x, y, "o", color=colour, markersize=size, alpha=0.7, clip_on=False)
        # Until they are drawn their extent is the picture's corner, for which the layout would make room.
        dots[0].set_in_layout(False)
    if done:
        best = _best(done, metric)
        axes.plot(best.parameters[one.name], best.value, "o", color=TWO, markersize=7)
    edges = np.array([one.low, one.high])
    if one.log:
        axes.set_xscale("log")
        edges = edges * (one.high / one.low) ** np.array([-0.04, 0.04])
    else:
        edges = edges + (one.high - one.low) * np.array([-0.04, 0.04])
    axes.set(xlim=edges, ylim=(low, high))
    axes.set_title(one.name, fontsize=10.5, color=INK, loc="left")
    axes.set_xticks([one.low, one.high], [compact(one.low), compact(one.high)], minor=False)
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
