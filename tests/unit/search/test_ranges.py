"""The search space: declared ranges, changed by settings, with every invalid setting reported."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.config import Config, RangeOverride
from lightmodel.errors import ConfigError
from lightmodel.search.ranges import (
    DECLARED,
    Override,
    declared_ranges,
    search_space,
    starting_point,
)

SEARCHED = [name for name, one in DECLARED.items() if one.searched]


def names(overrides: dict[str, Override], fixed: dict[str, object]) -> list[str]:
    return [one.name for one in declared_ranges(overrides, fixed)]


def test_a_parameter_of_the_settings_is_not_searched_even_under_an_alias() -> None:
    assert names({}, {}) == SEARCHED
    assert "num_leaves" not in names({}, {"num_leaves": 4})
    assert "learning_rate" not in names({}, {"eta": 0.1})


def test_a_range_is_changed_added_and_left_out() -> None:
    overrides: dict[str, Override] = {
        "num_leaves": RangeOverride(low=4, high=8),
        "max_depth": RangeOverride(),
        "reg_alpha": False,
    }
    ranges = {one.name: one for one in declared_ranges(overrides, {})}
    assert (ranges["num_leaves"].low, ranges["num_leaves"].high) == (4, 8)
    assert "max_depth" in ranges
    assert "lambda_l1" not in ranges


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("num_leafs", RangeOverride(low=2), "did you mean 'num_leaves'"),
        ("zzz", RangeOverride(low=2), "choose from num_leaves"),
        ("num_leaves", RangeOverride(low=9, high=3), "low = 9 must be less than high = 3"),
        ("num_leaves", RangeOverride(low=0.5, high=8), "must lie within 2 and"),
        ("num_leaves", RangeOverride(low=2.5), "must be whole numbers"),
        ("num_leaves", RangeOverride(type="float"), "takes whole numbers"),
        ("feature_fraction", RangeOverride(high=1.5), "must lie within"),
        ("lambda_l1", RangeOverride(low=0), "low must be positive, or set log = false"),
        ("learning_rate", RangeOverride(high=float("inf")), "must be finite"),
    ],
)
def test_an_invalid_range_is_refused(name: str, override: RangeOverride, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        declared_ranges({name: override}, {})


def test_all_mistakes_are_reported_together() -> None:
    overrides: dict[str, Override] = {"x": RangeOverride(), "num_leaves": RangeOverride(low=1)}
    with pytest.raises(ConfigError, match="2 mistakes"):
        declared_ranges(overrides, {})


@given(
    st.dictionaries(st.sampled_from(SEARCHED), st.floats(-1e6, 1e6, allow_nan=False), max_size=8)
)
def test_the_starting_point_lies_within_the_ranges(
    parameters: dict[str, float],
) -> None:
    ranges = declared_ranges({}, {})
    for one in ranges:
        value = starting_point(ranges, parameters)[one.name]
        assert one.low <= value <= one.high
        assert not one.is_int or value == int(value)


def test_what_train_class_weight_decides_is_not_searched() -> None:
    settings = {
        "train": {"class_weight": "balanced"},
        "tune": {"ranges": {"scale_pos_weight": {"low": 0.5, "high": 2.0}}},
    }
    with pytest.raises(ConfigError, match="scale_pos_weight cannot be searched"):
        search_space(Config.model_validate(settings), include_fixed=False)
