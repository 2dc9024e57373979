"""Who takes part in a comparison: well-known estimators, with sound parameters for a first look.

All but LightGBM stand behind the imputing, encoding and scaling of the sklearn learner. The slowest
come first, so that none of them is left over at the end, alone on one of several cores.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lightmodel.contract.task import TaskKind
from lightmodel.search.entries import Contender

_BOOSTERS = "boosters"
_KERNEL_ROWS = 5_000  # a kernel machine's time grows faster than the square of its rows
_NEIGHBOUR_ROWS = 50_000  # each row is held against all others
_TREES = {"n_estimators": 100, "min_samples_leaf": 3}
_PERCEPTRON = {"hidden_layer_sizes": [100], "alpha": 0.001, "max_iter": 300}
_FEW_ROWS = 2_000  # of fewer, a tenth is too little to stop by, and a half too little to grow on
_OF_MANY_ROWS: Mapping[str, Mapping[str, Any]] = {
    "mlp": {"early_stopping": True},
    "random-forest": {"max_samples": 0.5},
}
_NEIGHBOURS = {"n_neighbors": 15, "weights": "distance"}
_SLOWER_STEPS = {"learning_rate": 0.05, "max_iter": 300}
_XGBOOST = {"n_estimators": 300, "learning_rate": 0.05, "max_depth": 5, "subsample": 0.8}
_CATBOOST = {"iterations": 200, "verbose": False, "allow_writing_files": False}
_LIGHTGBM = Contender("lightgbm", "lightgbm")


def contenders(kind: TaskKind, rows: int) -> tuple[Contender, ...]:
    """Give those that suit a task with so many training rows."""
    every = _CLASSIFIERS if kind.has_classes else _REGRESSORS
    if rows <= _FEW_ROWS:
        return every
    return tuple(
        replace(one, parameters={**one.parameters, **_OF_MANY_ROWS.get(one.name, {})})
        for one in every
    )


def is_installed(contender: Contender) -> bool:
    """Say whether the package of an estimator is there, without importing it."""
    package = contender.estimator.partition(".")[0]
    return importlib.util.find_spec(package) is not None


_CLASSIFIERS = (
    Contender("svm", "sklearn.svm.SVC", {"C": 1.0}, most_rows=_KERNEL_ROWS),
    Contender("catboost", "catboost.CatBoostClassifier", _CATBOOST, extra=_BOOSTERS),
    Contender("mlp", "sklearn.neural_network.MLPClassifier", _PERCEPTRON),
    _LIGHTGBM,
    Contender("random-forest", "sklearn.ensemble.RandomForestClassifier", _TREES),
    Contender(
        "hist-gradient-boosting", "sklearn.ensemble.HistGradientBoostingClassifier", _SLOWER_STEPS
    ),
    Contender("xgboost", "xgboost.XGBClassifier", _XGBOOST, extra=_BOOSTERS),
    Contender("extra-trees", "sklearn.ensemble.ExtraTreesClassifier", _TREES),
    Contender(
        "knn",
        "sklearn.neighbors.KNeighborsClassifier",
        _NEIGHBOURS,
        most_rows=_NEIGHBOUR_ROWS,
    ),
    Contender("logistic", "sklearn.linear_model.LogisticRegression", {"max_iter": 1_000}),
)
_THIRD = {**_TREES, "max_features": 0.33}  # all columns at each cut take three times as long
_OWN = "lightmodel.learners.scaled_target"
_REGRESSORS = (
    Contender("svm", f"{_OWN}.support_vectors", {"C": 1.0}, most_rows=2 * _KERNEL_ROWS),
    Contender("catboost", "catboost.CatBoostRegressor", _CATBOOST, extra=_BOOSTERS),
    Contender("mlp", f"{_OWN}.perceptron", _PERCEPTRON),
    Contender("random-forest", "sklearn.ensemble.RandomForestRegressor", _THIRD),
    _LIGHTGBM,
    Contender("extra-trees", "sklearn.ensemble.ExtraTreesRegressor", _THIRD),
    Contender(
        "hist-gradient-boosting", "sklearn.ensemble.HistGradientBoostingRegressor", _SLOWER_STEPS
    ),
    Contender("xgboost", "xgboost.XGBRegressor", _XGBOOST, extra=_BOOSTERS),
    Contender(
        "knn", "sklearn.neighbors.KNeighborsRegressor", _NEIGHBOURS, most_rows=_NEIGHBOUR_ROWS
    ),
    Contender("lasso", "sklearn.linear_model.LassoCV"),
    Contender(
        "ridge",
        "sklearn.linear_model.RidgeCV",
        {"alphas": [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0]},
    ),
)
