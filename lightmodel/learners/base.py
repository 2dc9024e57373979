"""The protocols of a learner, of its trainer, and of the model that it fits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lightmodel.contract.results import FoldFit, Importance
from lightmodel.contract.task import Task, TaskKind

if TYPE_CHECKING:
    from lightmodel.contract.cells import Codes, Mask, Matrix, Scores, Vector


@dataclass(frozen=True)
class Folds:
    """The cut of the training rows into folds, by the method of the split.

    Attributes:
        numbers: (rows,) number of the fold that holds each row out, from 0; -1 for none.
        by_time: whether a fold is fitted on earlier rows only.
    """

    numbers: "Codes"
    by_time: bool = False

    @property
    def count(self) -> int:
        """The number of folds."""
        return int(self.numbers.max()) + 1

    def rows(self, fold: int) -> "tuple[Codes, Codes]":
        """Return the rows that a fold is fitted on, and those that it holds out, ascending."""
        numbers = self.numbers
        fitted = numbers < fold if self.by_time else numbers != fold
        return np.flatnonzero(fitted), np.flatnonzero(numbers == fold)

    def merged(self, most: int) -> "Folds":
        """Return at most so many folds, each of neighbouring ones."""
        numbers, count = self.numbers, self.count
        grouped = numbers * min(most, count) // count
        return Folds(np.where(numbers < 0, -1, grouped), self.by_time)


@dataclass(frozen=True)
class TrainingData:
    """The training rows in the form that a learner takes.

    Attributes:
        features: (rows, features), NaN for missing; a categorical column holds codes 0, 1, 2 …
        target: (rows,) class codes 0 … classes-1, or numbers (regression).
        names: names of the features, in column order.
        categorical: positions of the categorical columns.
        task: what is predicted.
        folds: of the cross-validation, whose cut a learner's own trials follow; None: any cut will do.
        weights: (rows,) of train.weight, by which metrics weigh the rows; None: all count the same.
        fit_weights: (rows,) the same times those of train.class_weight, for fitting.
    """

    features: "Matrix"
    target: "Vector"
    names: tuple[str, ...]
    categorical: tuple[int, ...]
    task: Task
    folds: Folds | None = None
    weights: "Vector | None" = None
    fit_weights: "Vector | None" = None

    @property
    def kind(self) -> TaskKind:
        """The kind of the task."""
        return self.task.kind

    @property
    def classes(self) -> int:
        """The number of classes; 0 for regression."""
        return len(self.task.labels)

    def weights_of(self, rows: "Codes | Mask") -> "Vector | None":
        """Return the weights of some rows; None if all count the same."""
        return None if self.weights is None else self.weights[rows]

    def without_rows(self) -> "TrainingData":
        """Return what describes the table."""
        no_rows = self.features[:0], self.target[:0]
        return TrainingData(*no_rows, self.names, self.categorical, self.task)


class FittedModel(Protocol):
    """A fitted model; `from_payload` of its class restores it from what `payload` returned."""

    def predict(self, features: "Matrix") -> "Scores":
        """Return (rows,) probabilities of the positive class or numbers, or (rows, classes)."""
        ...

    def payload(self) -> dict[str, Any]:
        """Return the content for the bundle: plain Python and numpy values, or the estimator itself."""
        ...

    def importance(self) -> tuple[Importance, ...]:
        """Return the importance of each feature, in training order; empty where it is unknown."""
        ...


def contribution_function(model: object) -> "Callable[[Matrix], Matrix] | None":
    """Return the function for SHAP values of (rows, features); None if the model has none."""
    has_any = getattr(model, "has_contributions", False)
    return getattr(model, "contributions", None) if has_any else None


class Trainer(Protocol):
    """A learner with one training table, prepared once for all folds.

    It can be pickled: in another process, `fit_fold` returns the same.
    """

    def describe(self) -> Mapping[str, Any]:
        """Return the parameters in effect for the manifest, in JSON types."""
        ...

    def fit_fold(self, train: "Codes", held_out: "Codes") -> FoldFit:
        """Fit on the rows `train`, with early stopping on the rows `held_out`, and score the latter."""
        ...

    def stop(self) -> None:
        """Cancel the folds that are being fitted, where the library allows that."""
        ...

    def refit(self, folds: Sequence[FoldFit]) -> FittedModel:
        """Fit one model on all rows, with the number of rounds that the folds needed."""
        ...

    def ensemble(self, folds: Sequence[FoldFit]) -> FittedModel:
        """Combine the models of the folds; their scores are averaged."""
        ...


class Learner(Protocol):
    """A way to fit models.

    The same data, parameters, seed and thread count produce the same payload, byte for byte, whichever
    folds run in parallel. `fit_fold` may be called from several threads at once.
    """

    name: str  # selects the loader of the payload, such as "lightgbm" or "sklearn"
    parallel_folds: int  # number of folds that may run in parallel

    def prepare(self, data: TrainingData) -> Trainer:
        """Prepare once what all folds share, such as the binned table."""
        ...
