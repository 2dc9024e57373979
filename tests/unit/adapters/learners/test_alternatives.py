"""Other parameters for LightGBM."""

from typing import Any

import pytest
from lightgbm.basic import _ConfigAliases

from lightmodel.adapters.learners.alternatives import alternatives
from lightmodel.adapters.learners.parameter_names import VARIED

SETTLED = {"num_leaves": 8, "learning_rate": 0.1768, "feature_fraction": 0.5, "seed": 0}


def test_each_set_is_another_and_none_is_the_settled_one() -> None:
    found = alternatives(SETTLED, {}, 0, 20)
    assert len(found) == 20
    assert len({tuple(sorted(one.items())) for one in found}) == 20
    assert all(set(one) == set(VARIED) for one in found)
    assert all(2 <= one["num_leaves"] <= 255 and 0 < one["feature_fraction"] <= 1 for one in found)


def test_the_seed_decides_and_more_sets_begin_with_the_same_ones() -> None:
    assert alternatives(SETTLED, {}, 0, 9)[:4] == alternatives(SETTLED, {}, 0, 4)
    assert alternatives(SETTLED, {}, 1, 4) != alternatives(SETTLED, {}, 0, 4)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"num_leaves": 5}, "num_leaves"),
        ({"eta": 0.3}, "learning_rate"),
        ({"min_child_samples": 7, "max_rounds": 50}, "min_data_in_leaf"),
        ({"reg_lambda": 2}, "lambda_l2"),
    ],
)
def test_what_the_user_gave_stays_under_whichever_name(given: dict[str, Any], kept: str) -> None:
    for one in alternatives(SETTLED, given, 0, 5):
        assert given.items() <= one.items()
        assert kept in given or kept not in one


def test_with_little_left_to_vary_there_are_fewer_and_in_the_end_none() -> None:
    every: dict[str, Any] = dict.fromkeys(VARIED, 1)
    del every["min_data_in_leaf"]
    assert 1 < len(alternatives(SETTLED, every, 0, 20)) < 20
    assert alternatives(SETTLED, {**every, "min_data": 3}, 0, 20) == ()


@pytest.mark.parametrize("name", VARIED)
def test_every_name_that_lightgbm_knows_is_known(name: str) -> None:
    assert VARIED[name] | {name} == _ConfigAliases.get(name)
