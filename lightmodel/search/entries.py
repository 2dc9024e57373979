"""Define the entries of a comparison, their cross-validation results, and the default entries.

All but LightGBM are preceded by the sklearn learner's imputation, encoding and scaling. The slowest
come first, so that none of them runs alone at the end while the other cores are idle.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lightmodel.contract.cells import Scores
from lightmodel.contract.task import TaskKind
from lightmodel.errors import ConfigError

MetricValues = Mapping[str, float]  # metric name → value


@dataclass(frozen=True)
class Entry:
    """An estimator with its parameters.

    Attributes:
        name: unique, shown in reports and accepted by --only.
        estimator: value of train.estimator.
        parameters: value of train.parameters.
        max_rows: above so many training rows it takes part only if --only names it; 0: no limit.
        extra: requirements/<extra>.txt installs its package; "": nothing more is needed.
    """

    name: str
    estimator: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    max_rows: int = 0
    extra: str = ""


@dataclass(frozen=True)
class CvResult:
    """The cross-validation result of an entry; all entries share the same folds.

    Attributes:
        name: of the entry.
        estimator, parameters: as in config.toml.
        scores: out of fold, (rows,) or (rows, classes); NaN for rows in no fold.
        folds: metrics of each fold, in the order of their numbers.
        pooled: metrics of the out-of-fold scores of all rows together.
        fit_seconds: time to fit all folds and the final model.
        row_seconds: time to score one row.
        size: of model.joblib, in bytes.
        notes: warnings raised in training, such as a fit that did not converge.
        versions: versions of the models, in the comparisons' store: one, or one per member of a blend.
        weights: of a blend's members; empty for any other entry.
        threshold: of a binary blend; other models keep theirs in model.joblib.
    """

    name: str
    estimator: str
    parameters: Mapping[str, Any]
    scores: Scores
    folds: tuple[MetricValues, ...]
    pooled: MetricValues
    fit_seconds: float
    row_seconds: float
    size: int
    notes: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    threshold: float | None = None


@dataclass(frozen=True)
class RankedResult:
    """A cross-validation result, compared with the best one.

    Attributes:
        mean, spread: of each metric over the folds; the spread is the standard deviation.
        behind: how much worse than the best, in the deciding metric's own unit; 0 for the best.
        noise: half the width of the 95 % interval of `behind`, from paired differences of folds.
    """

    result: CvResult
    mean: MetricValues
    spread: MetricValues
    behind: float
    noise: float

    @property
    def is_tied(self) -> bool:
        """Whether it is not significantly worse than the best."""
        return not self.behind > self.noise


_KERNEL_ROWS = 5_000  # a kernel machine's time grows faster than the square of its rows
_NEIGHBOUR_ROWS = 50_000  # each row is compared with all others
_FEW_ROWS = 2_000  # below it, a tenth is too little for early stopping, and half for a tree
_LARGE_TABLE_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "mlp": {"early_stopping": True},
    "random-forest": {"max_samples": 0.5},
}
_BOOSTERS = "boosters"
_TREES = {"n_estimators": 100, "min_samples_leaf": 3}
_REGRESSION_TREES = {**_TREES, "max_features": 0.33}  # all columns would take three times as long
_PERCEPTRON = {"hidden_layer_sizes": [100], "alpha": 0.001, "max_iter": 300}
_NEIGHBOURS = {"n_neighbors": 15, "weights": "distance"}
_HIST_BOOSTING = {"learning_rate": 0.05, "max_iter": 300}
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
    Entry("hist-gradient-boosting", f"{_ENSEMBLE}.HistGradientBoostingClassifier", _HIST_BOOSTING),
    Entry("xgboost", "xgboost.XGBClassifier", _XGBOOST, extra=_BOOSTERS),
    Entry("extra-trees", f"{_ENSEMBLE}.ExtraTreesClassifier", _TREES),
    Entry("knn", "sklearn.neighbors.KNeighborsClassifier", _NEIGHBOURS, _NEIGHBOUR_ROWS),
    Entry("logistic", "sklearn.linear_model.LogisticRegression", {"max_iter": 1_000}),
)
_REGRESSORS = (
    Entry("svm", f"{_SCALED_TARGET}.support_vectors", {"C": 1.0}, 2 * _KERNEL_ROWS),
    Entry("catboost", "catboost.CatBoostRegressor", _CATBOOST, extra=_BOOSTERS),
    Entry("mlp", f"{_SCALED_TARGET}.perceptron", _PERCEPTRON),
    Entry("random-forest", f"{_ENSEMBLE}.RandomForestRegressor", _REGRESSION_TREES),
    _LIGHTGBM,
    Entry("extra-trees", f"{_ENSEMBLE}.ExtraTreesRegressor", _REGRESSION_TREES),
    Entry("hist-gradient-boosting", f"{_ENSEMBLE}.HistGradientBoostingRegressor", _HIST_BOOSTING),
    Entry("xgboost", "xgboost.XGBRegressor", _XGBOOST, extra=_BOOSTERS),
    Entry("knn", "sklearn.neighbors.KNeighborsRegressor", _NEIGHBOURS, _NEIGHBOUR_ROWS),
    Entry("lasso", "sklearn.linear_model.LassoCV"),
    Entry("ridge", "sklearn.linear_model.RidgeCV", {"alphas": _ALPHAS}),
)


def default_entries(kind: TaskKind, rows: int) -> tuple[Entry, ...]:
    """Return the default entries for a task with this number of training rows."""
    entries = _CLASSIFIERS if kind.has_classes else _REGRESSORS
    if rows <= _FEW_ROWS:
        return entries
    return tuple(
        replace(one, parameters={**one.parameters, **_LARGE_TABLE_PARAMETERS.get(one.name, {})})
        for one in entries
    )


def choose_entries(
    kind: TaskKind, rows: int, only: Sequence[str]
) -> tuple[list[Entry], dict[str, str]]:
    """Return the entries that take part, and by name the reasons why others cannot.

    If `only` is not empty, it names all entries to consider. `rows` is the number of training rows.

    Raises:
        ConfigError: `only` names an entry that this task does not have.
    """
    available = {one.name: one for one in default_entries(kind, rows)}
    if unknown := [name for name in only if name not in available]:
        raise ConfigError(
            f"no entry of a {kind} task is called {', '.join(unknown)}",
            hint=f"known are {', '.join(sorted(available))}",
        )
    chosen = [one for name, one in available.items() if not only or name in only]
    reasons = {one.name: _why_left_out(one, rows, named=one.name in only) for one in chosen}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    return [one for one in chosen if one.name not in left_out], left_out


def _why_left_out(entry: Entry, rows: int, *, named: bool) -> str:
    if importlib.util.find_spec(entry.estimator.partition(".")[0]) is None:
        return f"not installed: pip install -r requirements/{entry.extra}.txt"
    if entry.max_rows and rows > entry.max_rows and not named:
        return (
            f"left out: slow above {entry.max_rows:,} training rows, and this table has {rows:,}; "
            f"--only {entry.name} includes it"
        )
    return ""
