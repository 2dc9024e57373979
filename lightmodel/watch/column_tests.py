"""Test each column of a window against the training reference, and judge all tests together."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lightmodel.config import WatchSection
from lightmodel.contract.cells import Vector
from lightmodel.training.reference import ColumnReference, Distribution
from lightmodel.training.two_samples import (
    chi_squared,
    holm,
    ks_p_value,
    more_p_value,
    pooled,
    share_p_value,
    stability_index,
)
from lightmodel.watch.window import WindowColumn

Kind = Literal["ks", "psi", "missing", "unseen"]
OTHERS = "others"  # all categories that are not published, in counts


@dataclass(frozen=True)
class ColumnDrift:
    """One test of one column.

    Attributes:
        column: name of the feature, or of the score.
        is_score: whether it is a score of the model, and no feature.
        test: "ks" (values of numbers), "psi" (categories), "missing" or "unseen" (their shares).
        effect: KS distance, PSI, the change in the share, or the share of unseen values.
        p_value: adjusted for the number of tests.
        drifted: whether it is significant, and the effect exceeds the limit.
        before: median (ks) or share (missing, unseen) in training; None for psi.
        now: the same in the window.
    """

    column: str
    is_score: bool
    test: Kind
    effect: float
    p_value: float
    drifted: bool = False
    before: float | None = None
    now: float | None = None


def judged(tests: list[ColumnDrift], section: WatchSection) -> tuple[ColumnDrift, ...]:
    """Return the tests with adjusted p-values, those that drifted first, and then by effect."""
    adjusted = holm(np.array([test.p_value for test in tests]))
    judged = [
        replace(
            test,
            p_value=float(p_value),
            drifted=bool(p_value < section.alpha and test.effect > section.max_drift),
        )
        for test, p_value in zip(tests, adjusted, strict=True)
    ]
    judged.sort(key=lambda test: (not test.drifted, -test.effect, test.column, test.test))
    return tuple(judged)


def column_tests(
    before: Mapping[str, ColumnReference], now: Mapping[str, WindowColumn], *, is_score: bool
) -> Iterator[ColumnDrift]:
    """Yield the tests of all columns that both have, with unadjusted p-values."""
    for name, column in before.items():
        current = now.get(name)
        if current is None or not (current.rows and column.rows):
            continue
        for kind, measure in _MEASURES.items():
            measured = measure(column, current)
            if measured is not None:
                effect, p_value, *values = measured
                yield ColumnDrift(name, is_score, kind, effect, p_value, False, *values)


# Effect, p-value, and the values before and now where there are such; None if it does not apply.
_Measured = tuple[float, float] | tuple[float, float, float, float] | None


def _numbers(before: ColumnReference, now: WindowColumn) -> _Measured:
    if before.numbers is None or now.numbers is None:
        return None
    if not before.numbers.count or not len(now.numbers):  # then the share of missing ones is all
        return None
    distance = before.numbers.distance(now.numbers)
    p_value = ks_p_value(distance, before.numbers.count, len(now.numbers))
    return distance, p_value, median(before.numbers), float(now.numbers[len(now.numbers) // 2])


def median(numbers: Distribution) -> float:
    """Return the median of a distribution; NaN if there are no numbers."""
    if not numbers.count:
        return math.nan
    return float(numbers.values[np.searchsorted(numbers.upto, 0.5)])


def _categories(before: ColumnReference, now: WindowColumn) -> _Measured:
    counts = category_counts(before, now)
    if counts is None or not counts[1].sum(axis=1).all():
        return None
    together = pooled(counts[1])
    return stability_index(together), chi_squared(together)


def category_counts(
    before: ColumnReference, now: WindowColumn
) -> tuple[tuple[str, ...], Vector] | None:
    """Return the published categories and "others", and (2, names) rows in training and now.

    Return None for a column of numbers, and for one whose categories are not published.
    """
    if before.counts is None or now.counts is None:
        return None
    names = tuple(before.counts)
    shown = [now.counts.get(name, 0) for name in names]
    others = sum(now.counts.values()) - sum(shown)
    counts = [[*before.counts.values(), before.others], [*shown, others]]
    return (*names, OTHERS), np.array(counts, np.float64)


def _missing(before: ColumnReference, now: WindowColumn) -> _Measured:
    shares = before.missing / before.rows, now.missing / now.rows
    p_value = share_p_value((before.missing, before.rows), (now.missing, now.rows))
    return abs(shares[1] - shares[0]), p_value, *shares


def _unseen(before: ColumnReference, now: WindowColumn) -> _Measured:
    """Test the share of unseen values against what training lets expect.

    By Good and Turing, the next row has an unseen category as often as training rows have one of their
    own.
    """
    if now.counts is None:
        return None
    expected, share = before.single / before.rows, now.unseen / now.rows
    p_value = more_p_value((before.single + 1, before.rows), (now.unseen, now.rows))
    return max(0.0, share - expected), p_value, expected, share


_MEASURES: Mapping[Kind, Callable[[ColumnReference, WindowColumn], _Measured]] = {
    "ks": _numbers,
    "psi": _categories,
    "missing": _missing,
    "unseen": _unseen,
}
