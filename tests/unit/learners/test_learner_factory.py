"""Learners are created from the settings, and models from the payload in a bundle."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lightmodel.config import TrainSection
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import Learner, TrainingData
from lightmodel.learners.factory import compile_model, load_model, make_learner

LINE = "sklearn.linear_model.LogisticRegression"
FEATURES = np.arange(40.0).reshape(20, 2)
DATA = TrainingData(
    FEATURES, np.arange(20.0) % 2, ("a", "b"), categorical=(), task=Task(TaskKind.BINARY, (0, 1))
)


def fitted_scores(learner: Learner) -> tuple[str, dict[str, object], np.ndarray]:
    trainer = learner.prepare(DATA)
    rows = np.arange(20)
    halves = (rows[:10], rows[10:]), (rows[10:], rows[:10])
    model = trainer.refit([trainer.fit_fold(*half) for half in halves])
    return learner.name, model.payload(), model.predict(FEATURES)


@pytest.mark.parametrize(
    ("estimator", "parameters"),
    [
        ("lightgbm", {"max_rounds": 3, "min_data_in_leaf": 2}),
        (LINE, {}),
        ("blend", {"members": [{"estimator": "lightgbm"}, {"estimator": LINE}]}),
    ],
)
def test_a_model_scores_the_same_once_it_is_loaded(
    estimator: str, parameters: dict[str, object]
) -> None:
    train = TrainSection(estimator=estimator, parameters=parameters)
    name, payload, scores = fitted_scores(make_learner(train, threads=1))
    assert np.array_equal(load_model(name, payload, threads=1).predict(FEATURES), scores)


def test_a_users_function_makes_the_estimator_alone_and_in_a_blend() -> None:
    alone = TrainSection(estimator="module", module="mine.py", parameters={"C": 0.5})
    members = [{"estimator": "module", "parameters": {"C": 0.5}}, {"estimator": LINE}]
    blend = TrainSection(estimator="blend", module="mine.py", parameters={"members": members})
    assert make_learner(alone, 1, LogisticRegression).name == "sklearn"
    assert make_learner(blend, 1, LogisticRegression).name == "blend"


def test_a_missing_user_function_is_named() -> None:
    with pytest.raises(ConfigError, match=r"train\.module is not set"):
        make_learner(TrainSection(estimator="module"), threads=1)
    with pytest.raises(ConfigError, match=r"mine\.py defines no estimator"):
        make_learner(TrainSection(estimator="module", module="mine.py"), threads=1)


def test_only_lightgbm_has_a_compiled_form(tmp_path: Path) -> None:
    assert compile_model("sklearn", {}, tmp_path) == {}
