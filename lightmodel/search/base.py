"""What a search varies, what a study is asked and answers, and the protocol of a retry's search."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

TrialState = Literal["complete", "pruned", "failed", "running"]


@dataclass(frozen=True)
class Range:
    """The values that a search may choose for one parameter.

    Attributes:
        name: of the parameter.
        low, high: the bounds, both included.
        whole: whether only whole numbers are chosen.
        log: whether values are drawn on a logarithmic scale.
    """

    name: str
    low: float
    high: float
    whole: bool = False
    log: bool = False

    def nearest(self, value: float) -> float:
        """Return the value of the range that is nearest to `value`."""
        within = min(max(value, self.low), self.high)
        return round(within) if self.whole else float(within)

    def around(self, value: float, factor: float) -> "Range":
        """Return the part of the range around a value, up to a factor or as large a share away."""
        if self.log and value > 0:
            low, high = value / factor, value * factor
        else:
            reach = (self.high - self.low) * (1 - 1 / factor) / 2
            low, high = value - reach, value + reach
        low, high = self.nearest(low), self.nearest(high)
        return replace(self, low=low, high=high) if low < high else self


@dataclass(frozen=True)
class Space:
    """The ranges that are searched, and the parameters that every trial has besides."""

    ranges: tuple[Range, ...]
    given: Mapping[str, Any]


@dataclass(frozen=True)
class StudyPlan:
    """What decides on a study.

    Attributes:
        name: identifies the study, whichever process or machine opens it.
        ranges: the parameters to vary.
        higher_is_better: whether the metric is maximised.
        seed: of the sampler.
        trials: number of trials in all, over all processes.
        startup: number of trials that are drawn at random before the sampler learns from them.
        keep_share: a trial goes on only while it is among this share of the finished ones.
        first: the parameters of the first trial.
    """

    name: str
    ranges: tuple[Range, ...]
    higher_is_better: bool
    seed: int
    trials: int
    startup: int
    keep_share: float
    first: Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """A trial to run: its number in the study, and its parameters."""

    number: int
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class TrialReport:
    """One trial of a study, as it is stored.

    Attributes:
        number: in its study, from 0.
        parameters: the values tried, by the ranges' names.
        value: the metric out of fold; of a pruned trial, over the folds that it saw; else NaN.
        folds: the `value` after each fold.
        created, ended: UTC in ISO format; `ended` is "" while the trial runs.
    """

    number: int
    state: TrialState
    parameters: Mapping[str, Any]
    value: float = math.nan
    folds: tuple[float, ...] = ()
    created: str = ""
    ended: str = ""


@dataclass(frozen=True)
class RejectedBaseline:
    """A training that failed the quality gate, where a retry's search begins.

    Attributes:
        settled: the parameters of that training, including those chosen from the table.
        value: the deciding metric out of fold; NaN where it is undefined.
        higher_is_better: whether that metric is maximised.
    """

    settled: Mapping[str, Any]
    value: float
    higher_is_better: bool


class Search(Protocol):
    """The search of a retry: it proposes one set of parameters after the other.

    It is deterministic: the same values told lead to the same sets asked, so that a search can be
    repeated from stored values.
    """

    def ask(self) -> dict[str, Any] | None:
        """Return another complete set for train.parameters, or None when no more is known."""
        ...

    def tell(self, value: float) -> None:
        """Record the out-of-fold value of the set asked for last; NaN where it is undefined."""
        ...


def round_value(value: float) -> float:
    """Round to four significant digits, as people read them; whole numbers stay."""
    return value if isinstance(value, int) else float(f"{value:.4g}")
