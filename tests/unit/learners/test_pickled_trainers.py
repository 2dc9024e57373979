"""A trainer in another process fits the folds of the first one: each is pickled and restored here."""

import pickle
from typing import Any

import numpy as np
import pytest

from lightmodel.contract.task import Task, TaskKind
from lightmodel.learners.base import Learner, Trainer, TrainingData
from lightmodel.learners.lightgbm import LightGBMLearner
from lightmodel.learners.sklearn import SklearnLearner

ROWS = 900


def table_of(kind: TaskKind, *, weighted: bool) -> TrainingData:
    """Return a table with missing values and a categorical column."""
    random = np.random.default_rng(0)
    features = random.normal(size=(ROWS, 4))
    features[random.random(features.shape) < 0.05] = np.nan
    features[:, 3] = random.integers(0, 6, ROWS)
    numbers = np.nan_to_num(features[:, 0]) + random.normal(size=ROWS)
    labels: tuple[int, ...] = ()
    if kind is TaskKind.BINARY:
        labels, numbers = (0, 1), (numbers > 0).astype(np.float64)
    elif kind is TaskKind.MULTICLASS:
        labels, numbers = (0, 1, 2), np.digitize(numbers, [-0.5, 0.5]).astype(np.float64)
    weights = random.random(ROWS) + 0.1 if weighted else None
    task = Task(kind, labels)
    return TrainingData(features, numbers, tuple("abcd"), (3,), task, fit_weights=weights)


def lightgbm(**parameters: Any) -> Learner:
    given = {"max_rounds": 30, "num_leaves": 6, **parameters}
    return LightGBMLearner(given, 0, 2, keep_fold_models=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"linear_tree": True},
        {"max_bin": 31, "bagging_fraction": 0.5, "bagging_freq": 1, "feature_fraction": 0.5},
        {"monotone_constraints": {"a": 1}},
    ],
    ids=["plain", "linear trees", "other bins", "monotone"],
)
def test_lightgbm_fits_the_same_fold(
    kind: TaskKind, parameters: dict[str, Any], *, weighted: bool
) -> None:
    check_folds(lightgbm(**parameters).prepare(table_of(kind, weighted=weighted)))


def test_scikit_learn_fits_the_same_fold() -> None:
    learner = SklearnLearner("sklearn.linear_model.LogisticRegression", {}, 0, 1)
    check_folds(learner.prepare(table_of(TaskKind.BINARY, weighted=True)))


def check_folds(trainer: Trainer) -> None:
    sent: Trainer = pickle.loads(pickle.dumps(trainer))
    held_out = np.arange(ROWS) % 3 == 0
    rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    here, there = (one.fit_fold(*rows) for one in (trainer, sent))
    np.testing.assert_array_equal(here.scores, there.scores)
    assert (here.rounds, here.curve) == (there.rounds, there.curve)
    assert here.model.get("texts") == there.model.get("texts")
    assert sent.describe() == trainer.describe()


def test_a_pickled_lightgbm_holds_a_byte_a_cell() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(20_000, 40))
    target = (features[:, 0] > 0).astype(np.float64)
    names = tuple(f"f{number}" for number in range(40))
    data = TrainingData(features, target, names, (), Task(TaskKind.BINARY, (0, 1)))
    assert len(pickle.dumps(lightgbm().prepare(data))) < 0.2 * features.nbytes
