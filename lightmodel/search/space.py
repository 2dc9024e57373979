"""What a search may vary, and what it found."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

TrialState = Literal["complete", "pruned", "failed", "running"]


@dataclass(frozen=True)
class Range:
    """The values that a search may give to one parameter.

    Attributes:
        name: of the parameter.
        low, high: both included.
        whole: only whole numbers.
        log: small values are told apart as finely as large ones.
    """

    name: str
    low: float
    high: float
    whole: bool = False
    log: bool = False

    def nearest(self, value: float) -> float:
        """Give the value of the range that is nearest to `value`."""
        within = min(max(value, self.low), self.high)
        return round(within) if self.whole else float(within)

    def around(self, value: float, factor: float) -> "Range":
        """Narrow the range to the neighbourhood of a value: by a factor, or by as large a share."""
        if self.log and value > 0:
            low, high = value / factor, value * factor
        else:
            reach = (self.high - self.low) * (1 - 1 / factor) / 2
            low, high = value - reach, value + reach
        low, high = self.nearest(low), self.nearest(high)
        return replace(self, low=low, high=high) if low < high else self


@dataclass(frozen=True)
class Space:
    """What is searched, and the parameters that every trial has besides."""

    ranges: tuple[Range, ...]
    given: Mapping[str, Any]


@dataclass(frozen=True)
class TrialReport:
    """One set of parameters, and what came of it.

    Attributes:
        number: in its study, from 0.
        parameters: the ranges' names and the values tried.
        value: of the metric, out of fold; of a pruned trial, over the folds that it saw; else NaN.
        folds: `value` after each fold.
        created, ended: UTC in ISO format; `ended` is "" while it runs.
    """

    number: int
    state: TrialState
    parameters: Mapping[str, Any]
    value: float = math.nan
    folds: tuple[float, ...] = ()
    created: str = ""
    ended: str = ""


def shortened(value: float) -> float:
    """Round to four digits, which people can read and no model can feel; whole numbers stay."""
    return value if isinstance(value, int) else float(f"{value:.4g}")
