"""One of the peers of `make bench-quality`, with its defaults, on the rows of one split.

Usage: quality_peer.py PEER TABLE.csv SPLIT.json SECONDS, in the environment of requirements/quality.txt.
Prints the loss on the test rows (log loss, or RMSE) and the milliseconds of one row as JSON. SECONDS is
the time budget of those that have one.
"""

import atexit
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import pandas as pd

ONE_ROW_CALLS = 30


@dataclass(frozen=True)
class Rows:
    """The rows of a split: features with text columns as categories, and the target."""

    train: pd.DataFrame
    train_target: pd.Series
    test: pd.DataFrame
    test_target: pd.Series
    has_classes: bool
    seconds: float


class Estimator(Protocol):
    """What scikit-learn's interface asks for, as far as it is used here."""

    def fit(self, rows: pd.DataFrame, target: pd.Series) -> object:
        """Fit the model."""

    predict: "Predict"
    predict_proba: "Predict"


Predict = Callable[
    [pd.DataFrame], np.ndarray
]  # → numbers, or the probabilities of the sorted classes


def read(table: Path, split: Path, seconds: float) -> Rows:
    """Return the rows of a split."""
    about = json.loads(split.read_text(encoding="utf-8"))
    frame = pd.read_csv(table).set_index("row")
    target, has_classes = frame.pop(about["target"]), about["classes"]
    texts = frame.select_dtypes(exclude="number").columns
    frame = frame.astype(dict.fromkeys(texts, "category"))
    train, test = (frame.loc[about[part]] for part in ("train", "test"))
    return Rows(train, target.loc[train.index], test, target.loc[test.index], has_classes, seconds)


def lightgbm(rows: Rows) -> Predict:
    """LightGBM's scikit-learn interface."""
    import lightgbm

    kind = lightgbm.LGBMClassifier if rows.has_classes else lightgbm.LGBMRegressor
    return _fitted(kind(verbose=-1), rows)


def xgboost(rows: Rows) -> Predict:
    """XGBoost's, which wants classes as numbers."""
    import xgboost

    kind = xgboost.XGBClassifier if rows.has_classes else xgboost.XGBRegressor
    codes = (
        rows.train_target.astype("category").cat.codes if rows.has_classes else rows.train_target
    )
    return _fitted(kind(enable_categorical=True), rows, codes)


def catboost(rows: Rows) -> Predict:
    """CatBoost's, which takes texts as categories."""
    import catboost

    texts = list(rows.train.select_dtypes("category"))

    def prepared(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.astype(dict.fromkeys(texts, str))

    kind = catboost.CatBoostClassifier if rows.has_classes else catboost.CatBoostRegressor
    with TemporaryDirectory() as folder:
        model = kind(verbose=False, cat_features=texts, train_dir=folder)
        model.fit(prepared(rows.train), rows.train_target)
    answer = model.predict_proba if rows.has_classes else model.predict
    return lambda frame: np.asarray(answer(prepared(frame)))


def hist_gradient_boosting(rows: Rows) -> Predict:
    """scikit-learn's."""
    from sklearn import ensemble

    kind = (
        ensemble.HistGradientBoostingClassifier
        if rows.has_classes
        else ensemble.HistGradientBoostingRegressor
    )
    return _fitted(kind(), rows)


def flaml(rows: Rows) -> Predict:
    """FLAML within the time budget, without CatBoost: one fit of it may take thirty times the budget."""
    import flaml

    model = flaml.AutoML()
    task, metric = ("classification", "log_loss") if rows.has_classes else ("regression", "rmse")
    model.fit(
        *(rows.train, rows.train_target),
        task=task,
        metric=metric,
        time_budget=rows.seconds,
        estimator_list=["lgbm", "xgboost", "xgb_limitdepth", "rf", "extra_tree", "lrl1"]
        if rows.has_classes
        else ["lgbm", "xgboost", "xgb_limitdepth", "rf", "extra_tree"],
        verbose=0,
        seed=0,
    )
    predict: Predict = model.predict_proba if rows.has_classes else model.predict
    return predict


def autogluon(rows: Rows) -> Predict:
    """AutoGluon's medium quality within the time budget."""
    from autogluon.tabular import TabularPredictor

    name = "the target of this table"
    metric = "log_loss" if rows.has_classes else "root_mean_squared_error"
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)  # it reads its models from there
    # counts with few values would count as classes
    kind = None if rows.has_classes else "regression"
    model = TabularPredictor(name, kind, metric, path=folder.name, verbosity=0)
    table = rows.train.assign(**{name: rows.train_target})
    model.fit(table, presets="medium_quality", time_limit=rows.seconds)
    if not rows.has_classes:
        return lambda frame: np.asarray(model.predict(frame))
    classes = sorted(rows.train_target.unique())
    return lambda frame: model.predict_proba(frame)[classes].to_numpy()


PEERS = {
    "LightGBM": lightgbm,
    "XGBoost": xgboost,
    "CatBoost": catboost,
    "HistGradientBoosting": hist_gradient_boosting,
    "FLAML": flaml,
    "AutoGluon": autogluon,
}


def _fitted(model: "Estimator", rows: Rows, target: pd.Series | None = None) -> Predict:
    model.fit(rows.train, rows.train_target if target is None else target)
    predict: Predict = model.predict_proba if rows.has_classes else model.predict
    return predict


def loss_of(predicted: np.ndarray, rows: Rows) -> float:
    """Return the log loss of probabilities, or the RMSE of numbers."""
    if not rows.has_classes:
        return float(np.sqrt(np.mean((predicted - rows.test_target.to_numpy()) ** 2)))
    classes = sorted(rows.train_target.unique())
    at = rows.test_target.map({label: position for position, label in enumerate(classes)})
    true_class = predicted[np.arange(len(predicted)), at]
    return float(-np.log(np.clip(true_class, 1e-15, 1)).mean())


def one_row_ms(predict: Predict, rows: Rows) -> float:
    """Return the median milliseconds of a prediction for one row."""
    times = []
    for position in range(ONE_ROW_CALLS):
        one = rows.test.iloc[position % len(rows.test) :][:1]
        start = time.perf_counter()
        predict(one)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def main(peer: str, table: str, split: str, seconds: str) -> None:
    """Fit one peer and print what it reaches."""
    warnings.filterwarnings("ignore")
    rows = read(Path(table), Path(split), float(seconds))
    predict = PEERS[peer](rows)
    result = {"loss": loss_of(predict(rows.test), rows), "one_row_ms": one_row_ms(predict, rows)}
    sys.stdout.write(f"\n{json.dumps(result)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
