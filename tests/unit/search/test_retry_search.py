"""What a retry tries, by the estimator in the settings; it can be repeated from remembered values."""

import math

import pytest

from lightmodel.config import Config
from lightmodel.contract.task import METRICS
from lightmodel.errors import NotPossible
from lightmodel.search.ranges import search_space
from lightmodel.search.retry_search import Proposals, propose

SETTLED = {"num_leaves": 8, "learning_rate": 0.1}
NO_OTHERS = {one.name: False for one in search_space(Config(), released=False).ranges}


def config_of(
    estimator: str, parameters: dict[str, object] | None = None, **tune: object
) -> Config:
    train = {"estimator": estimator, "parameters": parameters or {}, "seed": tune.pop("seed", 0)}
    return Config.model_validate({"train": train, "tune": tune})


def begun(config: Config, value: float = 0.7) -> Proposals:
    return propose(config, SETTLED, value, METRICS["auc"])


def walked(seed: int, steps: int, value: float = 0.5) -> list[dict[str, object]]:
    proposals = begun(config_of("lightgbm", {"max_rounds": 9}, seed=seed))
    return [next(proposals), *(proposals.send(value) for _ in range(steps - 1))]


def test_the_same_answers_give_the_same_questions() -> None:
    assert walked(0, 8) == walked(0, 8)
    assert walked(1, 8) != walked(0, 8)


def test_every_set_is_new_within_the_ranges_and_complete() -> None:
    sets = walked(0, 15)
    assert len({tuple(sorted(one.items(), key=str)) for one in sets}) == 15
    for one in sets:
        assert one["max_rounds"] == 9
        assert 2 <= float(str(one["num_leaves"])) <= 32


def test_an_undefined_value_is_learnt_from_as_a_failure() -> None:
    assert len(walked(0, 6, math.nan)) == 6
    assert next(begun(config_of("lightgbm"), math.nan))


def test_where_the_ranges_hold_no_more_there_is_an_end() -> None:
    ranges = {**NO_OTHERS, "num_leaves": {"low": 7, "high": 9}}
    proposals = begun(config_of("lightgbm", ranges=ranges))
    found = [next(proposals)["num_leaves"], proposals.send(0.5)["num_leaves"]]
    assert sorted(found) == [7, 9]
    with pytest.raises(StopIteration):
        proposals.send(0.5)


def test_a_given_parameter_stays() -> None:
    found = next(begun(config_of("lightgbm", {"learning_rate": 0.1})))
    assert found["learning_rate"] == 0.1


def test_a_network_is_tried_wider_and_longer() -> None:
    proposals = begun(config_of("neural"))
    first, second = next(proposals), proposals.send(0.1)
    assert set(first) == set(second) == {"width", "epochs"}
    assert first != second


def test_of_other_estimators_nothing_is_known() -> None:
    config = config_of("sklearn.svm.SVC")
    assert list(begun(config)) == []
    with pytest.raises(NotPossible, match="has no declared ranges"):
        search_space(config, released=False)


def test_where_the_settings_name_everything_nothing_is_left_to_try() -> None:
    config = config_of("lightgbm", dict.fromkeys(NO_OTHERS, 1))
    assert list(begun(config)) == []
    released = search_space(config, released=True)
    assert [one.name for one in released.ranges] == list(NO_OTHERS)
    assert released.given == {}
