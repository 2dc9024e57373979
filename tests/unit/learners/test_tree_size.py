"""The choice of the tree size and of the parameters that depend on it."""

from typing import Any

import numpy as np
import pytest

from lightmodel.learners.base import Folds
from lightmodel.learners.lean_lightgbm import lgb
from lightmodel.learners.lightgbm_parameters import checked_parameters
from lightmodel.learners.tree_size import choose_parameters, parameters_for_size, search_size

FIXED = {"objective": "regression", "verbosity": -1, "num_threads": 1, "seed": 0}
MANY, FEW = 50_000, 500


def binned(features: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> lgb.Dataset:
    parameters = {**FIXED, "feature_pre_filter": False}
    return lgb.Dataset(features, target, params=parameters).construct()


@pytest.mark.parametrize(
    ("given", "name"),
    [({"eta": 0.03, "num_leaf": 7}, "learning_rate"), ({"learning_rate": 0.03}, "learning_rate")],
)
def test_a_users_parameter_wins_under_any_of_its_names(given: dict[str, Any], name: str) -> None:
    rows = np.random.default_rng(0).random((400, 3))
    named = checked_parameters(given)
    chosen = choose_parameters(binned(rows, rows[:, 0]), None, {**FIXED, **named}, named, 1)
    assert chosen[name] == 0.03
    assert "num_leaf" not in given or chosen["num_leaves"] == 7


@pytest.mark.parametrize(
    ("losses", "size", "tried"),
    [
        ({8: 1.0, 4: 0.9, 2: 0.8}, 2, [8, 4, 2]),
        ({8: 1.0, 4: 0.99, 2: 1.2}, 4, [8, 4, 2]),
        ({8: 1.0, 4: 1.005, 16: 1.1}, 4, [8, 4, 16]),
        ({8: 1.0, 4: 1.005, 16: 0.98, 32: 1.0}, 16, [8, 4, 16, 32]),
        ({8: 1.0, 4: 1.2, 16: 0.9, 32: 0.95}, 16, [8, 4, 16, 32]),
        ({8: 1.0, 4: 1.2, 16: 0.995, 32: 1.1}, 8, [8, 4, 16, 32]),
        ({8: 1.0, 4: 1.2, 16: 0.9, 32: 0.8, 64: 0.7, 128: 0.6}, 128, [8, 4, 16, 32, 64, 128]),
    ],
)
def test_the_smallest_size_wins_that_is_no_worse(
    losses: dict[int, float], size: int, tried: list[int]
) -> None:
    met = []

    def losses_of(leaves: int) -> np.ndarray[Any, Any]:
        met.append(leaves)
        return np.full(100, losses[leaves], np.float64)

    assert search_size(losses_of, MANY) == size
    assert met == tried


def test_in_a_table_of_few_rows_chance_decides_for_no_bigger_tree() -> None:
    random = np.random.default_rng(0)
    noise = {leaves: random.normal(0, 1, 100) for leaves in (2, 4, 8, 16, 32, 64, 128)}

    def losses_of(leaves: int) -> np.ndarray[Any, Any]:
        own = noise[leaves]
        losses: np.ndarray[Any, Any] = 1 + own - own.mean() + (0.05 if leaves == 2 else 0.0)
        return losses

    assert search_size(losses_of, FEW) == 2
    assert search_size(losses_of, MANY) == 4


def test_the_trial_keeps_groups_together() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 20)
    features = random.normal(size=(60, 4))[groups] + random.normal(0, 0.01, (len(groups), 4))
    target = random.normal(size=60)[groups] + random.normal(0, 0.1, len(groups))
    dataset = binned(features, target)

    def leaves(numbers: np.ndarray[Any, Any]) -> int:
        return int(choose_parameters(dataset, Folds(numbers), FIXED, {}, 1)["num_leaves"])

    assert leaves(groups % 10) == 2  # nothing can be known of another group
    assert leaves(random.permutation(groups % 10)) > 2  # rows of a group give each other away


def test_a_large_table_is_fitted_at_a_higher_rate() -> None:
    small, large = (binned(np.zeros((rows, 30)), np.zeros(rows)) for rows in (FEW, 20_000))
    rates = [parameters_for_size(4, dataset)["learning_rate"] for dataset in (small, large)]
    assert rates == [0.175, 0.25]
