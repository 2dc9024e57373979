"""Monotone constraints by name, and what LightGBM must never see."""

from typing import Any

import numpy as np
import pytest

from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import TrainingData
from lightmodel.learners.lightgbm import LightGBMLearner, LightGBMTrainer

ROWS = np.arange(600)


def prepared(constraints: object, name: str = "monotone_constraints") -> LightGBMTrainer:
    """Return a trainer of a number that rises with `size`, of which `cut` is a category."""
    random = np.random.default_rng(0)
    features = np.asfortranarray(random.random((len(ROWS), 3)))
    features[:, 2] = random.integers(0, 4, len(ROWS))
    target = features[:, 0] + np.sin(9 * features[:, 1]) + random.normal(0, 0.3, len(ROWS))
    names = ("size", "depth", "cut")
    data = TrainingData(features, target, names, (2,), Task(TaskKind.REGRESSION))
    parameters: dict[str, Any] = {name: constraints, "num_leaves": 8, "max_rounds": 40}
    return LightGBMLearner(parameters, 0, 1, keep_fold_models=False).prepare(data)


@pytest.mark.parametrize(
    ("name", "constraints", "stored"),
    [
        ("monotone_constraints", {"depth": -1}, [0, -1, 0]),
        ("mc", {"depth": 0, "size": 1}, [1, 0, 0]),
        ("monotone_constraints", [0, -1, 0], [0, -1, 0]),
        ("monotone_constraints", "1, -1, 0", [1, -1, 0]),
    ],
)
def test_constraints_are_given_by_name_or_by_position(
    name: str, constraints: object, stored: list[int]
) -> None:
    assert prepared(constraints, name).describe()["monotone_constraints"] == stored


def test_predictions_follow_the_constraint() -> None:
    trainer = prepared({"depth": -1})
    fold = trainer.fit_fold(ROWS[ROWS % 2 == 0], ROWS[ROWS % 2 == 1])
    model = trainer.refit([fold, fold])
    grid = np.column_stack([np.full(50, 0.5), np.linspace(0, 1, 50), np.zeros(50)])
    assert (np.diff(model.predict(grid)) <= 0).all()


@pytest.mark.parametrize(
    ("constraints", "told"),
    [
        ({"cut": 1}, "cut holds texts"),
        ([0, 0, -1], "cut holds texts"),
        ({"dept": 1}, "dept is no feature; did you mean 'depth'?"),
        ({"colour": 1}, "colour is no feature"),
        ({"size": 2}, "size: 2 is no direction"),
        ({"size": True}, "size: True is no direction"),
        ({"size": "up"}, "size: 'up' is no direction"),
        ([1, 0], "one entry for each of the 3 features"),
        (1, "must name features"),
    ],
)
def test_what_cannot_be_met_is_refused_in_words(constraints: object, told: str) -> None:
    with pytest.raises(ConfigError, match="monotone_constraints") as caught:
        prepared(constraints)
    assert told in caught.value.message
    assert "for example" in caught.value.hint
