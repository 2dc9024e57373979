"""The choice of the tree size and of the parameters that depend on it."""

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from lightmodel.learners.boosting import choose_parameters
from lightmodel.learners.lightgbm_parameters import checked_parameters

FIXED = {"objective": "regression", "verbosity": -1, "num_threads": 1, "seed": 0}


@pytest.mark.parametrize(
    ("given", "name"),
    [({"eta": 0.03, "num_leaf": 7}, "learning_rate"), ({"learning_rate": 0.03}, "learning_rate")],
)
def test_a_users_parameter_wins_under_any_of_its_names(given: dict[str, Any], name: str) -> None:
    random = np.random.default_rng(0)
    rows = random.random((400, 3))
    dataset = lgb.Dataset(rows, rows[:, 0], params=FIXED).construct()
    named = checked_parameters(given)
    chosen = choose_parameters(dataset, {**FIXED, **named}, named, 1)
    assert chosen[name] == 0.03
    assert "num_leaf" not in given or chosen["num_leaves"] == 7
