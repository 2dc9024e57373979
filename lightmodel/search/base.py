"""The port through which a search chooses what to try next, and remembers what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lightmodel.contract.results import FoldFit
from lightmodel.search.space import Range, TrialReport


@dataclass(frozen=True)
class StudyPlan:
    """What decides on a study.

    Attributes:
        name: the same name is the same study, whichever process or machine opens it.
        ranges: what is varied.
        higher_is_better: of the value.
        seed: of what is drawn.
        trials: how many it shall have in all.
        startup: trials that are drawn at random before it learns from them.
        keep_share: of the finished trials, once four are, which a trial must be among after each
            fold to go on.
        first: a set of parameters to begin with.
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
class Asked:
    """A trial to be made: its number and parameters."""

    number: int
    parameters: Mapping[str, Any]


class Study(Protocol):
    """Trials of one question, made by one or more processes at once; thread-safe.

    What was told survives the death of whoever told it. A trial whose process died is failed, counts
    for nothing, and another takes its place. Together, all processes make `plan.trials` trials.

    Every method raises SourceUnavailable where the study's store does not answer.
    """

    def ask(self) -> Asked | None:
        """Give the next trial; None: enough are made or under way."""
        ...

    def report(self, number: int, fold: int, value: float) -> bool:
        """Take the value after a fold (from 0); True: the trial is not worth going on with."""
        ...

    def complete(self, number: int, value: float) -> None:
        """Take a finished trial's value; NaN: it is undefined, and the trial has failed."""
        ...

    def prune(self, number: int) -> None:
        """End a trial that was not worth going on with."""
        ...

    def fail(self, number: int) -> None:
        """Give a trial up: it counts for nothing. Nothing happens where it has ended already."""
        ...

    def trials(self) -> tuple[TrialReport, ...]:
        """Give all trials by number."""
        ...

    def close(self) -> None:
        """Say that this process works on it no more."""
        ...


class Search(Protocol):
    """What to try instead of parameters that were not good enough, one set after the other.

    The same answers give the same questions: a search can be repeated from remembered values.
    """

    def ask(self) -> dict[str, Any] | None:
        """Give another set, complete for train.parameters, as none before; None: no more is known."""
        ...

    def tell(self, value: float) -> None:
        """Take the out-of-fold value of the set asked for last; NaN where it is undefined."""
        ...


class TrialFitter(Protocol):
    """A table prepared once for all trials of a study; `fit_fold` may be called from many threads."""

    @property
    def at_once(self) -> int:
        """Say how many folds may be fitted side by side."""
        ...

    @property
    def settled(self) -> Mapping[str, Any]:
        """Give the parameters that training would use for this table."""
        ...

    def fit_fold(self, parameters: Mapping[str, Any], fold: int) -> FoldFit:
        """Fit a fold with parameters over those given in train.parameters.

        Raises:
            CancelledError: `stop` was called.
        """
        ...

    def stop(self) -> None:
        """Let folds under way end without a result."""
        ...
