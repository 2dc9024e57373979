"""Draw the distribution of a column in training beside the one that it has now."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lightmodel.report.formatting import shortened
from lightmodel.report.plots import canvas
from lightmodel.report.plots.canvas import INK, MUTED, TWO, Chart

_SIZE = (420.0, 250.0)
_BARS = 0.4  # half the distance between two names
Shares = Sequence[float]


def binned(key: str, title: str, note: str, edges: Shares, shares: tuple[Shares, Shares]) -> Chart:
    """Draw (training, now) shares of the rows in bins of numbers."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for values, name, colour in zip(shares, ("training", "now"), (MUTED, TWO), strict=True):
            axes.stairs(values, edges, fill=True, color=colour, alpha=0.3)
            axes.stairs(values, edges, color=colour, linewidth=1.4, label=name)
        canvas.label_axes(axes, "", "share of the rows")
        _finish(axes)

    alt = f"Histogram of {title} in training and now."
    return canvas.chart(key, title, alt, note, draw, _SIZE)


def named(
    key: str, title: str, note: str, names: Sequence[str], shares: tuple[Shares, Shares]
) -> Chart:
    """Draw (training, now) shares of the rows of each category."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(names))
        for side, values, name, colour in zip(
            (-1, 1), shares, ("training", "now"), (MUTED, TWO), strict=True
        ):
            axes.bar(places + side * _BARS / 2, values, _BARS, color=colour, alpha=0.65, label=name)
        texts = [shortened(name, 14) for name in names]
        axes.set_xticks(places, texts, color=INK)
        if sum(map(len, texts)) + 2 * len(texts) > 52:
            axes.tick_params(axis="x", labelrotation=40)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("share of the rows")
        _finish(axes)

    alt = f"Shares of the categories of {title} in training and now."
    return canvas.chart(key, title, alt, note, draw, _SIZE)


def _finish(axes: Axes) -> None:
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 6):g} %"))
    canvas.add_legend(axes)
