"""The proposals of a retry for each kind of estimator; they can be replayed from stored values."""

import math

import pytest

from lightmodel.config import Config
from lightmodel.contract.task import METRICS
from lightmodel.errors import NotPossible
from lightmodel.search.ranges import search_space
from lightmodel.search.retry_search import Proposals, propose

TRAINED = {"num_leaves": 8, "learning_rate": 0.1}
NO_OTHERS = {one.name: False for one in search_space(Config(), include_fixed=False).ranges}


def config_of(
    estimator: str, parameters: dict[str, object] | None = None, **tune: object
) -> Config:
    train = {"estimator": estimator, "parameters": parameters or {}, "seed": tune.pop("seed", 0)}
    return Config.model_validate({"train": train, "tune": tune})


def proposals_for(config: Config, value: float = 0.7) -> Proposals:
    return propose(config, TRAINED, value, METRICS["auc"])


def propose_many(seed: int, steps: int, value: float = 0.5) -> list[dict[str, object]]:
    proposals = proposals_for(config_of("lightgbm", {"max_rounds": 9}, seed=seed))
    return [next(proposals), *(proposals.send(value) for _ in range(steps - 1))]


def test_the_same_values_lead_to_the_same_proposals() -> None:
    assert propose_many(0, 8) == propose_many(0, 8)
    assert propose_many(1, 8) != propose_many(0, 8)


def test_every_proposal_is_new_within_the_ranges_and_complete() -> None:
    sets = propose_many(0, 15)
    assert len({tuple(sorted(one.items(), key=str)) for one in sets}) == 15
    for one in sets:
        assert one["max_rounds"] == 9
        assert 2 <= float(str(one["num_leaves"])) <= 32


def test_an_undefined_value_counts_as_a_failed_trial() -> None:
    assert len(propose_many(0, 6, math.nan)) == 6
    assert next(proposals_for(config_of("lightgbm"), math.nan))


def test_proposals_end_when_the_ranges_are_exhausted() -> None:
    ranges = {**NO_OTHERS, "num_leaves": {"low": 7, "high": 9}}
    proposals = proposals_for(config_of("lightgbm", ranges=ranges))
    leaves = [next(proposals)["num_leaves"], proposals.send(0.5)["num_leaves"]]
    assert sorted(leaves) == [7, 9]
    with pytest.raises(StopIteration):
        proposals.send(0.5)


def test_a_parameter_of_the_settings_is_kept() -> None:
    proposal = next(proposals_for(config_of("lightgbm", {"learning_rate": 0.1})))
    assert proposal["learning_rate"] == 0.1


def test_a_network_is_tried_wider_and_longer() -> None:
    proposals = proposals_for(config_of("neural"))
    first, second = next(proposals), proposals.send(0.1)
    assert set(first) == set(second) == {"width", "epochs"}
    assert first != second


def test_other_estimators_have_no_proposals() -> None:
    config = config_of("sklearn.svm.SVC")
    assert list(proposals_for(config)) == []
    with pytest.raises(NotPossible, match="has no declared ranges"):
        search_space(config, include_fixed=False)


def test_settings_that_fix_every_parameter_leave_no_proposals() -> None:
    config = config_of("lightgbm", dict.fromkeys(NO_OTHERS, 1))
    assert list(proposals_for(config)) == []
    space = search_space(config, include_fixed=True)
    assert [one.name for one in space.ranges] == list(NO_OTHERS)
    assert space.fixed == {}
