"""What a search may vary: declared, changed by settings, and told when it makes no sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.config import RangeOverride
from lightmodel.errors import ConfigError
from lightmodel.search.ranges import DECLARED, Override, declared_ranges, starting_point

SEARCHED = [name for name, one in DECLARED.items() if one.searched]


def names(overrides: dict[str, Override], fixed: dict[str, object]) -> list[str]:
    return [one.name for one in declared_ranges(overrides, fixed)]


def test_what_the_user_gives_is_not_searched_by_whichever_name() -> None:
    assert names({}, {}) == SEARCHED
    assert "num_leaves" not in names({}, {"num_leaves": 4})
    assert "learning_rate" not in names({}, {"eta": 0.1})


def test_a_range_is_changed_added_and_left_out() -> None:
    wanted: dict[str, Override] = {
        "num_leaves": RangeOverride(low=4, high=8),
        "max_depth": RangeOverride(),
        "reg_alpha": False,
    }
    found = {one.name: one for one in declared_ranges(wanted, {})}
    assert (found["num_leaves"].low, found["num_leaves"].high) == (4, 8)
    assert "max_depth" in found
    assert "lambda_l1" not in found


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("num_leafs", RangeOverride(low=2), "did you mean 'num_leaves'"),
        ("zzz", RangeOverride(low=2), "known are num_leaves"),
        ("num_leaves", RangeOverride(low=9, high=3), "low = 9 must be less than high = 3"),
        ("num_leaves", RangeOverride(low=0.5, high=8), "must lie within 2 and"),
        ("num_leaves", RangeOverride(low=2.5), "must be whole numbers"),
        ("num_leaves", RangeOverride(type="float"), "takes whole numbers"),
        ("feature_fraction", RangeOverride(high=1.5), "must lie within"),
        ("lambda_l1", RangeOverride(low=0), "low must be positive, or say log = false"),
        ("learning_rate", RangeOverride(high=float("inf")), "must be finite"),
    ],
)
def test_a_range_that_makes_no_sense_is_told(
    name: str, override: RangeOverride, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        declared_ranges({name: override}, {})


def test_all_mistakes_are_told_at_once() -> None:
    wanted: dict[str, Override] = {"x": RangeOverride(), "num_leaves": RangeOverride(low=1)}
    with pytest.raises(ConfigError, match="2 mistakes"):
        declared_ranges(wanted, {})


@given(
    st.dictionaries(st.sampled_from(SEARCHED), st.floats(-1e6, 1e6, allow_nan=False), max_size=8)
)
def test_the_starting_point_lies_within_whatever_a_training_settled_on(
    settled: dict[str, float],
) -> None:
    found = declared_ranges({}, {})
    for one in found:
        value = starting_point(found, settled)[one.name]
        assert one.low <= value <= one.high
        assert not one.whole or value == int(value)
