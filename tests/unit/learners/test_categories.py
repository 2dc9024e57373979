"""Splits on categories suit the number of rows."""

from typing import Any

import numpy as np
import pytest

from lightmodel.contract.task import Task, TaskKind
from lightmodel.learners.base import TrainingData
from lightmodel.learners.lightgbm import LightGBMLearner, LightGBMTrainer
from lightmodel.learners.tree_size import category_parameters


def prepared(
    parameters: dict[str, Any], rows: int = 300, categorical: tuple[int, ...] = (0,)
) -> LightGBMTrainer:
    """Return a trainer of a table of hours, as categories, and whether they are in the afternoon."""
    hours = np.random.default_rng(0).integers(0, 24, rows).astype(np.float64)
    target = (hours > 11).astype(np.float64)
    features = np.asfortranarray(hours[:, None])
    data = TrainingData(features, target, ("hour",), categorical, Task(TaskKind.BINARY, (0, 1)))
    return LightGBMLearner(parameters, 0, 1, keep_fold_models=False).prepare(data)


def held_out_error(trainer: LightGBMTrainer) -> float:
    rows = np.arange(len(trainer.data.target))
    scores = trainer.fit_fold(rows[rows % 4 != 0], rows[rows % 4 == 0]).scores
    return float(np.abs(scores - trainer.data.target[rows % 4 == 0]).mean())


def test_a_small_table_learns_from_a_category_of_many_values() -> None:
    assert held_out_error(prepared({"num_leaves": 4})) < 0.05
    lightgbm_own = {"num_leaves": 4, "min_data_per_group": 100, "cat_smooth": 10}
    assert held_out_error(prepared(lightgbm_own)) > 0.3


@pytest.mark.parametrize(
    ("rows", "chosen"), [(50, (20, 2.0)), (2_000, (40, 4.0)), (9_000, (100, 10.0))]
)
def test_a_large_table_has_the_parameters_of_lightgbm(rows: int, chosen: tuple[int, float]) -> None:
    assert tuple(category_parameters(rows).values()) == chosen


def test_they_are_recorded_and_those_of_the_user_win() -> None:
    described = prepared({"num_leaves": 4, "cat_smooth": 7}).describe()
    assert (described["min_data_per_group"], described["cat_smooth"]) == (20, 7)
    assert "cat_smooth" not in prepared({"num_leaves": 4}, categorical=()).describe()
