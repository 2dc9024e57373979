"""What takes part in a comparison, what it showed, and which place that gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightmodel.contract.arrays import Scores

Measured = Mapping[str, float]


@dataclass(frozen=True)
class Contender:
    """One way of fitting.

    Attributes:
        name: for people, and for --only.
        estimator: as train.estimator.
        parameters: as train.parameters.
        most_rows: training rows above which it takes part only when it is named; 0: any number.
        extra: requirements/<extra>.txt that installs it; "" for none.
    """

    name: str
    estimator: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    most_rows: int = 0
    extra: str = ""


@dataclass(frozen=True)
class Ended:
    """How a contender came out of its training.

    Attributes:
        contender: which.
        version: of its model among those of comparisons; "" where there is none.
        why: there is none, in words.
    """

    contender: Contender
    version: str = ""
    why: str = ""


@dataclass(frozen=True)
class Showing:
    """What a contender showed out of fold, on the same folds as all others.

    Attributes:
        name: of the contender.
        estimator, parameters: as in config.toml.
        scores: (rows,) or (rows, classes) of the training rows, NaN for a row of no fold.
        folds: metrics of each fold, in the order of their numbers.
        pooled: metrics of all scores together.
        fit_seconds: for all folds and the final model.
        row_seconds: to score a row.
        size: bytes of the bundle.
        notes: what happened on the way, such as a fit that did not converge.
        versions: of the models, among those of comparisons: one, or one for each member of a blend.
        weights: of a blend's members; empty for anything else.
        threshold: of a blend (binary only); any other has it in its bundle.
    """

    name: str
    estimator: str
    parameters: Mapping[str, Any]
    scores: Scores
    folds: tuple[Measured, ...]
    pooled: Measured
    fit_seconds: float
    row_seconds: float
    size: int
    notes: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    threshold: float | None = None


@dataclass(frozen=True)
class Standing:
    """A showing in its place.

    Attributes:
        mean, spread: of each metric over the folds; spread is the standard deviation.
        behind: how much worse than the first, in the deciding metric's own unit; 0 for the first.
        noise: half the width of the 95 % interval of `behind`, from the folds' paired differences.
    """

    showing: Showing
    mean: Measured
    spread: Measured
    behind: float
    noise: float

    @property
    def is_tied(self) -> bool:
        """Whether it is behind the first by no more than chance may explain."""
        return not self.behind > self.noise
