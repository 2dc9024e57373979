"""The entries of a comparison, their results out of fold, and the estimators that enter by default.

All but LightGBM stand behind the imputing, encoding and scaling of the sklearn learner. The slowest
come first, so that none of them is left over at the end, alone on one of several cores.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lightmodel.contract.cells import Scores
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError

Measured = Mapping[str, float]  # a value for each metric


@dataclass(frozen=True)
class Entry:
    """An estimator with its parameters.

    Attributes:
        name: for people, and for --only.
        estimator: as train.estimator.
        parameters: as train.parameters.
        max_rows: training rows above which it enters only when it is named; 0 for no limit.
        extra: name of the requirements/<extra>.txt that installs it; "" for none.
    """

    name: str
    estimator: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    max_rows: int = 0
    extra: str = ""


@dataclass(frozen=True)
class CvResult:
    """The cross-validation of an entry, on the same folds as all others.

    Attributes:
        name: of the entry.
        estimator, parameters: as in config.toml.
        scores: (rows,) or (rows, classes) of the training rows, NaN for a row of no fold.
        folds: metrics of each fold, in the order of their numbers.
        pooled: metrics of all scores together.
        fit_seconds: for all folds and the final model.
        row_seconds: to score a row.
        size: of the bundle, in bytes.
        notes: warnings of the training, such as a fit that did not converge.
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
class RankedResult:
    """A cross-validation beside the best one.

    Attributes:
        mean, spread: of each metric over the folds; the spread is the standard deviation.
        behind: how much worse than the best, in the deciding metric's own unit; 0 for the best.
        noise: half the width of the 95 % interval of `behind`, from the folds' paired differences.
    """

    result: CvResult
    mean: Measured
    spread: Measured
    behind: float
    noise: float

    @property
    def is_tied(self) -> bool:
        """Whether it is behind the best by no more than chance may explain."""
        return not self.behind > self.noise


_KERNEL_ROWS = 5_000  # a kernel machine's time grows faster than the square of its rows
_NEIGHBOUR_ROWS = 50_000  # each row is compared with all others
_FEW_ROWS = 2_000  # of fewer, a tenth is too little to stop by, and a half too little to grow on
_OF_MANY_ROWS: Mapping[str, Mapping[str, Any]] = {
    "mlp": {"early_stopping": True},
    "random-forest": {"max_samples": 0.5},
}
_BOOSTERS = "boosters"
_TREES = {"n_estimators": 100, "min_samples_leaf": 3}
_THIRD = {**_TREES, "max_features": 0.33}  # all columns at each cut take three times as long
_PERCEPTRON = {"hidden_layer_sizes": [100], "alpha": 0.001, "max_iter": 300}
_NEIGHBOURS = {"n_neighbors": 15, "weights": "distance"}
_SLOWER_STEPS = {"learning_rate": 0.05, "max_iter": 300}
_XGBOOST = {"n_estimators": 300, "learning_rate": 0.05, "max_depth": 5, "subsample": 0.8}
_CATBOOST = {"iterations": 200, "verbose": False, "allow_writing_files": False}
_ALPHAS = [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0]
_LIGHTGBM = Entry("lightgbm", "lightgbm")
_ENSEMBLE = "sklearn.ensemble"
_SCALED_TARGET = "lightmodel.learners.scaled_target"
_CLASSIFIERS = (
    Entry("svm", "sklearn.svm.SVC", {"C": 1.0}, _KERNEL_ROWS),
    Entry("catboost", "catboost.CatBoostClassifier", _CATBOOST, extra=_BOOSTERS),
    Entry("mlp", "sklearn.neural_network.MLPClassifier", _PERCEPTRON),
    _LIGHTGBM,
    Entry("random-forest", f"{_ENSEMBLE}.RandomForestClassifier", _TREES),
    Entry("hist-gradient-boosting", f"{_ENSEMBLE}.HistGradientBoostingClassifier", _SLOWER_STEPS),
    Entry("xgboost", "xgboost.XGBClassifier", _XGBOOST, extra=_BOOSTERS),
    Entry("extra-trees", f"{_ENSEMBLE}.ExtraTreesClassifier", _TREES),
    Entry("knn", "sklearn.neighbors.KNeighborsClassifier", _NEIGHBOURS, _NEIGHBOUR_ROWS),
    Entry("logistic", "sklearn.linear_model.LogisticRegression", {"max_iter": 1_000}),
)
_REGRESSORS = (
    Entry("svm", f"{_SCALED_TARGET}.support_vectors", {"C": 1.0}, 2 * _KERNEL_ROWS),
    Entry("catboost", "catboost.CatBoostRegressor", _CATBOOST, extra=_BOOSTERS),
    Entry("mlp", f"{_SCALED_TARGET}.perceptron", _PERCEPTRON),
    Entry("random-forest", f"{_ENSEMBLE}.RandomForestRegressor", _THIRD),
    _LIGHTGBM,
    Entry("extra-trees", f"{_ENSEMBLE}.ExtraTreesRegressor", _THIRD),
    Entry("hist-gradient-boosting", f"{_ENSEMBLE}.HistGradientBoostingRegressor", _SLOWER_STEPS),
    Entry("xgboost", "xgboost.XGBRegressor", _XGBOOST, extra=_BOOSTERS),
    Entry("knn", "sklearn.neighbors.KNeighborsRegressor", _NEIGHBOURS, _NEIGHBOUR_ROWS),
    Entry("lasso", "sklearn.linear_model.LassoCV"),
    Entry("ridge", "sklearn.linear_model.RidgeCV", {"alphas": _ALPHAS}),
)


def default_entries(kind: TaskKind, rows: int) -> tuple[Entry, ...]:
    """Return the entries that suit a task with so many training rows."""
    entries = _CLASSIFIERS if kind.has_classes else _REGRESSORS
    if rows <= _FEW_ROWS:
        return entries
    return tuple(
        replace(one, parameters={**one.parameters, **_OF_MANY_ROWS.get(one.name, {})})
        for one in entries
    )


def choose_entries(
    kind: TaskKind, rows: int, only: Sequence[str]
) -> tuple[list[Entry], dict[str, str]]:
    """Return the entries that suit a task, and why others cannot take part, by their names.

    Only those named in `only` are looked at, if there are any. `rows` counts the training rows.

    Raises:
        ConfigError: there is no entry of that name for this task.
    """
    every = {one.name: one for one in default_entries(kind, rows)}
    if unknown := [name for name in only if name not in every]:
        raise ConfigError(
            f"no entry of a {kind} task is called {', '.join(unknown)}",
            hint=f"known are {', '.join(sorted(every))}",
        )
    chosen = [one for name, one in every.items() if not only or name in only]
    reasons = {one.name: _why_absent(one, rows, named=one.name in only) for one in chosen}
    absent = {name: reason for name, reason in reasons.items() if reason}
    return [one for one in chosen if one.name not in absent], absent


def _why_absent(entry: Entry, rows: int, *, named: bool) -> str:
    if importlib.util.find_spec(entry.estimator.partition(".")[0]) is None:
        return f"not installed: pip install -r requirements/{entry.extra}.txt"
    if entry.max_rows and rows > entry.max_rows and not named:
        return (
            f"left out: slow above {entry.max_rows:,} training rows, and here are {rows:,}; "
            f"--only {entry.name} tries it"
        )
    return ""
