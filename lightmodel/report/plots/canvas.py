"""Draw figures as SVG that follows the page's colours, or as PNG.

A figure belongs to one thread, but matplotlib's settings belong to the process. So one figure is
drawn at a time, under a lock, with this project's settings over matplotlib's own defaults: whatever
a matplotlibrc says, the same numbers give the same bytes.
"""

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter
from matplotlib.typing import RcKeyType

from lightmodel.contract.results import Point
from lightmodel.report.formatting import compact

# Each colour stands for a variable of the page's style sheet, which has two sets of them.
PAPER, INK, MUTED, GRID = "#fffffe", "#1d2329", "#5c6773", "#dfe3e8"
ONE, TWO = "#2458c5", "#b8500c"
_VARIABLES = {
    PAPER: "--card",
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    ONE: "--one",
    TWO: "--two",
}
DASHED: dict[str, Any] = {"color": MUTED, "linestyle": (0, (4, 3))}
SIZE = (420.0, 310.0)  # points
_LEGEND_CHARACTERS = 64
_MAX_SCALE = 1.3  # pixels per point: a larger picture looks coarse
LARGEST = 1e100  # beyond it an axis' arithmetic overflows
_POINTS_PER_INCH = 72
_SETTINGS: dict[RcKeyType, Any] = {
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10.5,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 10.5,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.borderaxespad": 0.0,
    "legend.borderpad": 0.2,
    "legend.handlelength": 1.4,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",  # text stays text: it can be read aloud, found and copied
    "svg.hashsalt": "light-model",
    "text.color": INK,
    "text.parse_math": False,  # a column may be called $x$
    "xtick.color": GRID,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 10,
    "xtick.major.size": 0,
    "ytick.color": GRID,
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 10,
    "ytick.major.size": 0,
}
_drawing = threading.Lock()

Draw = Callable[[Figure], object]


@dataclass(frozen=True)
class Chart:
    """A picture for the page.

    Attributes:
        key: a short name, unique on the page.
        note: caption that says how to read it.
        svg: an `<svg>` element.
        wide: whether it needs the page's whole width.
    """

    key: str
    title: str
    note: str
    svg: str
    wide: bool = False


def chart(
    key: str, title: str, alt: str, note: str, draw: Draw, size: tuple[float, float] = SIZE
) -> Chart:
    """Draw a chart of `size` (width, height in points); `alt` says what it shows."""
    out = io.BytesIO()
    with _figure(size) as figure:
        FigureCanvasSVG(figure)
        draw(figure)
        _lay_out(figure)
        figure.savefig(
            out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    svg = _embedded(out.getvalue().decode(), key, alt, size)
    return Chart(key, title, note, svg)


def png(size: tuple[float, float], draw: Draw) -> bytes:
    """Draw a PNG on white of `size` (width, height in points), at two pixels a point."""
    out = io.BytesIO()
    with _figure(size) as figure:
        FigureCanvasAgg(figure)
        draw(figure)
        figure.dpi = dpi = 2 * _POINTS_PER_INCH
        _lay_out(figure)
        figure.savefig(out, format="png", dpi=dpi, facecolor=PAPER, metadata={"Software": None})
    return out.getvalue()


def _lay_out(figure: Figure) -> None:
    """Place the axes, once: a figure that has a layout engine is drawn twice when it is saved."""
    if figure.axes:
        ConstrainedLayoutEngine().execute(figure)


def text_png(text: str) -> bytes:
    """Draw one line of text, in place of a picture without data."""
    return png((560, 120), lambda figure: figure.text(0.5, 0.5, text, ha="center"))


@contextmanager
def _figure(size: tuple[float, float]) -> Iterator[Figure]:
    settings = {**mpl.rcParamsDefault, **_SETTINGS}
    del settings["backend"]  # the one setting that rc_context does not restore
    with _drawing, mpl.rc_context(settings), warnings.catch_warnings():
        # The browser has the letters that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield Figure(figsize=(size[0] / _POINTS_PER_INCH, size[1] / _POINTS_PER_INCH))


def _embedded(text: str, key: str, alt: str, size: tuple[float, float]) -> str:
    """Turn matplotlib's SVG file into an element: no prologue, unique ids, colours as variables."""
    body = text[text.index("<svg") :]
    body = body[body.index(">") + 1 :].strip()
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', body))

    # Names of columns stand between tags, never within: there "<" and ">" are escaped.
    body = re.sub(r"<[^<>]+>", lambda tag: _restyled(tag[0], key, used), body)
    head = (
        f'<svg viewBox="0 0 {size[0]:g} {size[1]:g}" style="max-width: {_MAX_SCALE * size[0]:.0f}px" '
        f'role="img" aria-label="{escape(alt)}">'
    )
    return head + re.sub(r">\s*\n\s*<", ">\n<", body)


def _restyled(tag: str, key: str, used: Iterable[str]) -> str:
    tag = re.sub(r' id="([^"]+)"', lambda m: f' id="{key}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r'(url\(|href=")#', rf"\1#{key}-", tag).replace("xlink:href", "href")
    tag = re.sub(r"; font-family: [^;\"]*| transform=\"rotate\(-0 [^\"]*\"", "", tag)
    tag = re.sub(r"\s+", " ", tag)
    for colour, name in _VARIABLES.items():
        tag = tag.replace(colour, f"var({name})")
    return tag


def drawable(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return the points that an axis can show."""
    return tuple((x, y) for x, y in points if abs(x) < LARGEST and abs(y) < LARGEST)


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Name both axes, and write large numbers on them compactly."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: compact(round(value, 12))))


def add_legend(axes: Axes) -> None:
    """Add a legend above the plot, where it hides nothing: in one line if it fits."""
    names = [str(line.get_label()) for line in axes.get_legend_handles_labels()[0]]
    columns = len(names) if sum(map(len, names)) + 4 * len(names) < _LEGEND_CHARACTERS else 1
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.02), ncols=columns, columnspacing=1.2, fontsize=10
    )
