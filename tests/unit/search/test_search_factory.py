"""Which search a retry begins, by the estimator in the settings."""

import math

import pytest

from lightmodel.config import Config
from lightmodel.errors import NotPossible
from lightmodel.search.base import RejectedBaseline
from lightmodel.search.factory import retry_search
from lightmodel.search.ranges import search_space
from lightmodel.search.studies import ListedSearch, OptunaSearch

BASELINE = RejectedBaseline({"num_leaves": 8}, math.nan, higher_is_better=True)


def config_of(estimator: str, parameters: dict[str, object] | None = None) -> Config:
    train = {"estimator": estimator, "parameters": parameters or {}}
    return Config.model_validate({"train": train})


def test_lightgbm_is_searched_around_what_was_rejected() -> None:
    search = retry_search(config_of("lightgbm", {"learning_rate": 0.1}), BASELINE)
    assert isinstance(search, OptunaSearch)
    found = search.ask()
    assert found is not None
    assert 2 <= found["num_leaves"] <= 32
    assert found["learning_rate"] == 0.1


def test_a_network_is_tried_wider_and_longer() -> None:
    search = retry_search(config_of("neural"), BASELINE)
    assert isinstance(search, ListedSearch)
    assert set(search.ask() or {}) >= {"width", "epochs"}


def test_of_other_estimators_nothing_is_known() -> None:
    config = config_of("sklearn.svm.SVC")
    assert retry_search(config, BASELINE) is None
    with pytest.raises(NotPossible, match="has no declared ranges"):
        search_space(config, released=False)


def test_where_the_settings_name_everything_nothing_is_left_to_try() -> None:
    names = [one.name for one in search_space(config_of("lightgbm"), released=False).ranges]
    config = config_of("lightgbm", dict.fromkeys(names, 1))
    assert retry_search(config, BASELINE) is None
    released = search_space(config, released=True)
    assert [one.name for one in released.ranges] == names
    assert released.given == {}
