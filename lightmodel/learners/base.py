"""Fitting models and scoring with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lightmodel.contract.results import FoldFit, Importance
from lightmodel.contract.task import TaskKind

if TYPE_CHECKING:
    from lightmodel.contract.cells import Codes, Matrix, Scores, Vector


@dataclass(frozen=True)
class TrainingData:
    """The training rows as a learner sees them.

    Attributes:
        features: (rows, features), NaN for missing; a categorical column holds codes 0, 1, 2 …
        target: (rows,) class codes 0 … classes-1, or numbers (regression).
        names: of the features.
        categorical: positions of the categorical columns.
        classes: how many classes there are; 0 for regression.
    """

    features: "Matrix"
    target: "Vector"
    names: tuple[str, ...]
    categorical: tuple[int, ...]
    kind: TaskKind
    classes: int


class FittedModel(Protocol):
    """A model that can score; `from_payload` of its class takes back what `payload` gave."""

    def predict(self, features: "Matrix") -> "Scores":
        """Score rows: probability of the positive class, one per class, or the number."""
        ...

    def payload(self) -> dict[str, Any]:
        """Return what goes into the bundle: plain Python and numpy values, or the estimator itself."""
        ...

    def importance(self) -> tuple[Importance, ...]:
        """Return what each feature contributed, in training order."""
        ...


class Trainer(Protocol):
    """A learner that holds one table, prepared once for all folds."""

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in force, in JSON's types, for the manifest."""
        ...

    def fit_fold(self, train: "Codes", held_out: "Codes") -> FoldFit:
        """Fit on the rows `train`, stop by the rows `held_out`, and score those."""
        ...

    def stop(self) -> None:
        """Let folds under way end without a result, where that is possible: the user gives up."""
        ...

    def refit(self, folds: Sequence[FoldFit]) -> FittedModel:
        """Fit once on all rows, as long as the folds say."""
        ...

    def ensemble(self, folds: Sequence[FoldFit]) -> FittedModel:
        """Put the folds' own models together; their scores are averaged."""
        ...


class Learner(Protocol):
    """A way of fitting.

    The same data, parameters, seed and thread count give the same payload, byte for byte, whatever
    folds run beside each other. `fit_fold` may be called from several threads at once.
    """

    name: str  # what opens its payload: such as "lightgbm" or "sklearn"
    folds_at_once: int  # how many folds may run side by side

    def prepare(self, data: TrainingData) -> Trainer:
        """Do once what all folds share."""
        ...
