"""Report a comparison as a table, a workbook and a picture."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from openpyxl import Workbook
from openpyxl.styles import Font

from lightmodel.contract.task import METRICS, Metric
from lightmodel.report.formatting import metric_title, number, shortened
from lightmodel.report.plots import canvas
from lightmodel.report.plots.canvas import INK, MUTED, ONE, TWO
from lightmodel.search.entries import RankedResult

Ranking = Sequence[RankedResult]
_MAX_WIDTH = 60  # characters of a column
_FORMATS = {"bytes": "#,##0", "place": "#,##0", "fit_seconds": "0.00", "row_microseconds": "0.00"}
_ENTRY_HEIGHT = 27.0  # points
_OUTLIER = 4.0  # ranges of the better half: an axis that reached further would show little else


def table_rows(
    ranking: Ranking, left_out: Mapping[str, str], metric: Metric
) -> list[dict[str, Any]]:
    """Return a row (column → value) per entry: the best first, last those left out, with reasons."""
    others = [name for name in METRICS if name in ranking[0].mean and name != metric.name]
    rows = [_row(place, one, [metric.name, *others]) for place, one in enumerate(ranking, 1)]
    absent = [{"entry": name, "notes": reason} for name, reason in left_out.items()]
    return [*rows, *absent]


def as_excel(rows: list[dict[str, Any]], metric: Metric) -> bytes:
    """Return the table as an Excel workbook with a bold, frozen header; numbers stay numbers."""
    book = Workbook()
    book.remove(book.worksheets[0])
    sheet = book.create_sheet(f"by {metric_title(metric.name)}"[:31])
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append([row.get(title) for title in rows[0]])
    sheet.freeze_panes = "C2"
    sheet.auto_filter.ref = sheet.dimensions
    for title, *cells in sheet.columns:
        title.font = Font(bold=True)
        widest = max(len(_cell_text(cell.value)) for cell in (title, *cells))
        sheet.column_dimensions[title.column_letter].width = min(widest + 2, _MAX_WIDTH)
        for cell in cells:
            cell.number_format = _FORMATS.get(str(title.value), "0.0000")
            if isinstance(cell.value, str):
                cell.data_type = "s"  # never a formula
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _row(place: int, one: RankedResult, names: Sequence[str]) -> dict[str, Any]:
    result = one.result
    numbers: dict[str, float] = {}
    for name in names:
        numbers[f"{name}_mean"] = one.mean[name]
        numbers[f"{name}_spread"] = one.spread[name]
        numbers[f"{name}_pooled"] = result.pooled[name]
    numbers.update(behind=one.behind, noise=one.noise, fit_seconds=result.fit_seconds)
    numbers["row_microseconds"] = 1e6 * result.row_seconds
    return {
        "place": place,
        "entry": result.name,
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "bytes": result.size,
        "notes": "; ".join(result.notes),
        "estimator": result.estimator,
        "parameters": str(dict(result.parameters)),
    }


def _cell_text(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value or "")


def comparison_png(ranking: Ranking, metric: Metric) -> bytes:
    """Draw the entries by the deciding metric, the best on top, as a PNG on white.

    A dot is a fold; the diamond is their mean, and the bar one standard deviation to either side. The
    mean of a far worse entry is written at the edge. Entries without a score are left out.
    """
    scored = [one for one in ranking if math.isfinite(one.mean[metric.name])]
    if not scored:
        return canvas.text_png("No entry has a score that can be drawn.")

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[4, 1])
        limits = _limits(scored, metric)
        for place, one in enumerate(scored):
            _draw_entry(left, place, one, metric, limits)
        _label_scores(left, scored, metric, limits)
        _draw_fit_times(right, scored)
        better = "higher" if metric.higher_is_better else "lower"
        figure.suptitle(
            f"{metric.title} by cross-validation ({better} is better)",
            fontsize=12, ha="left", x=0.01,
        )  # fmt: skip

    return canvas.png((760, 110 + _ENTRY_HEIGHT * len(scored)), draw)


def _limits(ranking: Ranking, metric: Metric) -> tuple[float, float]:
    """Return the limits of the axis: they span all folds, except those of entries far off."""
    better_half = ranking[: max(2, (len(ranking) + 1) // 2)]
    low, high = _span(better_half, metric)
    reach = _OUTLIER * ((high - low) or abs(high) or 1.0)
    limit = low - reach if metric.higher_is_better else high + reach
    near = [one for one in ranking if not metric.better(limit, one.mean[metric.name])]
    low, high = _span(near, metric)
    margin = 0.0 if high > low else (abs(high) or 1.0) * 0.01
    return low - margin, high + margin


def _span(ranking: Ranking, metric: Metric) -> tuple[float, float]:
    values = [value for one in ranking for value in _fold_values(one, metric)]
    return float(np.nanmin(values)), float(np.nanmax(values))


def _fold_values(one: RankedResult, metric: Metric) -> list[float]:
    return [fold.get(metric.name, math.nan) for fold in one.result.folds]


def _draw_entry(
    axes: Axes, place: int, one: RankedResult, metric: Metric, limits: tuple[float, float]
) -> None:
    mean, spread = one.mean[metric.name], one.spread[metric.name]
    colour = ONE if one.is_tied else MUTED
    if not limits[0] <= mean <= limits[1]:
        left = mean < limits[0]
        axes.annotate(
            f"◀ {number(mean)}" if left else f"{number(mean)} ▶", (limits[0 if left else 1], place),
            ha="left" if left else "right", va="center", color=MUTED, fontsize=10,
        )  # fmt: skip
        return
    if math.isfinite(spread):
        axes.plot([mean - spread, mean + spread], [place, place], color=colour, alpha=0.35,
                  linewidth=9, solid_capstyle="butt")  # fmt: skip
    dots = _fold_values(one, metric)
    axes.plot(dots, [place] * len(dots), "o", color=colour, markersize=3.6, alpha=0.6)
    axes.plot(mean, place, "D", color=TWO if place == 0 else colour, markersize=6.5)
    axes.annotate(
        number(mean), (1, place), (-2, 0), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", va="center", color=INK, fontsize=10,
    )  # fmt: skip


def _label_scores(
    axes: Axes, ranking: Ranking, metric: Metric, limits: tuple[float, float]
) -> None:
    """Draw the line of the best entry, the legend and the names of the entries."""
    axes.axvline(
        ranking[0].mean[metric.name], color=TWO, linewidth=1, linestyle=(0, (4, 3)), zorder=0
    )
    kinds = {
        "best": (TWO, True),
        "not significantly worse": (ONE, any(one.is_tied for one in ranking[1:])),
        "significantly worse": (MUTED, not all(one.is_tied for one in ranking)),
    }
    for label, (colour, drawn) in kinds.items():
        if drawn:
            axes.plot([], [], "D", color=colour, markersize=6.5, label=label)
    canvas.add_legend(axes)
    canvas.label_axes(axes, f"{metric.title} of each held-out fold", "")
    width = limits[1] - limits[0]
    axes.set_xlim(limits[0] - 0.03 * width, limits[1] + 0.17 * width)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    names = [shortened(one.result.name, 32) for one in ranking]
    axes.set_yticks(range(len(ranking)), names, color=INK)
    axes.set_ylim(len(ranking) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _draw_fit_times(axes: Axes, ranking: Ranking) -> None:
    seconds = [max(one.result.fit_seconds, 1e-3) for one in ranking]
    bars = axes.barh(range(len(ranking)), seconds, color=MUTED, alpha=0.45, height=0.5)
    texts = [f"{value:,.2g}" if value < 10 else f"{value:,.0f}" for value in seconds]
    axes.bar_label(bars, texts, padding=4, color=MUTED, fontsize=9.5)
    axes.set(xlabel="seconds to train", xticks=[])
    axes.set_xlim(0, 1.45 * max(seconds))
    axes.tick_params(axis="y", labelleft=False)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
