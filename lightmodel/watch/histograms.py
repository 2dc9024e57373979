"""Compute histograms of a column in training and now, as the drift page shows them."""

from dataclasses import dataclass

import numpy as np

from lightmodel.contract.cells import Vector
from lightmodel.report.formatting import compact
from lightmodel.training.reference import ColumnReference, Distribution
from lightmodel.watch.column_tests import category_counts
from lightmodel.watch.window import WindowColumn

_BINS = 24
_FEW_VALUES = 12  # so many distinct numbers get a bar each
_TAIL = 0.005  # share of the rows beyond either end, which count in the outermost bins
MAX_BARS = 14  # categories; the rarer ones count as others


@dataclass(frozen=True)
class Histogram:
    """Shares of the rows: those with a number by bin, or all of them by name.

    Attributes:
        before: (bins,) shares in training.
        now: (bins,) shares in the window.
        edges: (bins + 1,) of a column of numbers; empty if `names` is not.
        names: (bins,) of a column of categories, or of few distinct numbers.
    """

    before: tuple[float, ...]
    now: tuple[float, ...]
    edges: tuple[float, ...] = ()
    names: tuple[str, ...] = ()


def histogram(before: ColumnReference, now: WindowColumn) -> Histogram | None:
    """Return the histogram of a column; None if there are no values that may be shown."""
    if before.numbers is not None and now.numbers is not None:
        if not before.numbers.count or not len(now.numbers):
            return None
        return _bars(before.numbers, now.numbers) or _bins(before.numbers, now.numbers)
    counted = category_counts(before, now)
    if counted is None or not (before.rows and now.rows):
        return None
    return _categories(*counted, (before, now))


def _categories(
    names: tuple[str, ...], counts: Vector, columns: tuple[ColumnReference, WindowColumn]
) -> Histogram:
    """Return a bar for each of the frequent categories, and for others, unseen and missing values."""
    if len(names) > MAX_BARS:
        rest = counts[:, MAX_BARS - 1 :].sum(axis=1, keepdims=True)
        counts = np.hstack([counts[:, : MAX_BARS - 1], rest])
        names = (*names[: MAX_BARS - 1], names[-1])
    before, now = columns
    absent = [[0, before.missing], [now.unseen, now.missing]]
    counts = np.hstack([counts, np.array(absent, np.float64)])
    shares = counts / np.array([[before.rows], [now.rows]])
    bars = [
        (name, *pair)
        for place, (name, *pair) in enumerate(
            zip((*names, "unseen", "missing"), *shares.tolist(), strict=True)
        )
        if place < len(names) - 1 or any(pair)
    ]
    shown, old, new = zip(*bars, strict=True)
    return Histogram(old, new, names=shown)


def _bars(before: Distribution, now: Vector) -> Histogram | None:
    """Return a bar for each number; None if there are many."""
    if len(before.values) > _FEW_VALUES:
        return None
    values = np.unique(np.concatenate([before.values, np.unique(now)]))
    if len(values) > _FEW_VALUES:
        return None
    known = dict(zip(before.values.tolist(), (before.upto - before.below).tolist(), strict=True))
    shares = [known.get(value, 0.0) for value in values.tolist()]
    counts = np.searchsorted(now, values, "right") - np.searchsorted(now, values, "left")
    names = tuple(compact(value) for value in values.tolist())
    return Histogram(tuple(shares), tuple((counts / len(now)).tolist()), names=names)


def _bins(before: Distribution, now: Vector) -> Histogram | None:
    ends = [*_ends(before.values[np.searchsorted(before.upto, [_TAIL, 1 - _TAIL])])]
    ends += _ends(now[[int(_TAIL * (len(now) - 1)), int((1 - _TAIL) * (len(now) - 1))]])
    if not ends:
        return None
    low, high = min(ends), max(ends)
    edges = np.linspace(low, high, _BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    inner = edges[1:-1]
    upto = np.interp(inner, before.values, before.upto)
    shares = np.diff(np.concatenate([[0.0], upto, [1.0]]))
    counts = np.diff(np.concatenate([[0], np.searchsorted(now, inner, "right"), [len(now)]]))
    shown = counts / len(now)
    return Histogram(tuple(shares.tolist()), tuple(shown.tolist()), tuple(edges.tolist()))


def _ends(values: Vector) -> list[float]:
    found: list[float] = values[np.abs(values) < 1e100].tolist()  # beyond, an axis overflows
    return found
