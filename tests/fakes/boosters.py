"""Small LightGBM models of every kind, as text."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import lightgbm as lgb
import numpy as np

from lightmodel.contract.cells import Matrix

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(0, 3, (2_000, 6)).round(2)
TABLE[:, 5] = RANDOM.integers(0, 12, len(TABLE))
HOLES = np.where(RANDOM.random(TABLE.shape) < 0.1, np.nan, TABLE)
SCORE = TABLE[:, 0] * TABLE[:, 1] + TABLE[:, 2] + (TABLE[:, 5] % 3)


def boosted(
    table: Matrix, objective: str = "binary", categories: bool = False, **parameters: Any
) -> str:
    target = {
        "binary": SCORE > 0.5,
        "regression": SCORE,
        "multiclass": np.digitize(SCORE, [-2, 2]),
    }[objective]
    if objective == "multiclass":
        parameters["num_class"] = 3
    rounds = parameters.pop("rounds", 40)
    data = lgb.Dataset(
        table,
        target.astype(float),
        categorical_feature=[5] if categories else [],
        params={"verbosity": -1, "min_data_in_leaf": 5},
    )
    fixed = {
        "objective": objective,
        "verbosity": -1,
        "min_data_in_leaf": 5,
        "seed": 1,
        "num_threads": 1,  # on so few rows, threads wait for each other
        **parameters,
    }
    return str(lgb.train(fixed, data, rounds).model_to_string())


RECIPES: Mapping[str, Callable[[], str]] = {
    "binary": partial(boosted, TABLE, num_leaves=13),
    "regression": partial(boosted, TABLE, "regression", num_leaves=31),
    "multiclass": partial(boosted, TABLE, "multiclass", num_leaves=8),
    "stumps": partial(boosted, TABLE, num_leaves=2, rounds=200),
    "single leaves": partial(boosted, TABLE, min_gain_to_split=1e9),
    "deep": partial(boosted, TABLE, num_leaves=63),
    "many leaves": partial(boosted, TABLE, "regression", num_leaves=200),
    "holes": partial(boosted, HOLES, num_leaves=13),
    "zeros are holes": partial(boosted, TABLE.round(0), zero_as_missing=True, num_leaves=13),
    "no holes known": partial(boosted, TABLE, use_missing=False, num_leaves=13),
    "categories": partial(boosted, TABLE, categories=True, num_leaves=13, max_cat_to_onehot=1),
    "categories and holes": partial(boosted, HOLES, categories=True, num_leaves=13),
    "forest": partial(
        boosted, TABLE, boosting="rf", bagging_freq=1, bagging_fraction=0.5, num_leaves=9
    ),
    "hundreds of leaves": partial(
        boosted, HOLES, "regression", num_leaves=400, min_data_in_leaf=2, rounds=3
    ),
    "own sigmoid": partial(boosted, TABLE, sigmoid=0.7, num_leaves=5),
}


@cache
def model(name: str) -> str:
    """Return a model as text, trained when a test first asks for it."""
    return RECIPES[name]()
