"""The weights of rows reach every learner's fit, and what decides about it."""

from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lightmodel.contract.results import FoldFit
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.learners.base import Learner, TrainingData
from lightmodel.learners.blend import BlendLearner
from lightmodel.learners.lightgbm import LightGBMLearner
from lightmodel.learners.neural import NeuralLearner
from lightmodel.learners.scaled_target import support_vectors
from lightmodel.learners.sklearn import SklearnLearner

ROWS = 400
RANDOM = np.random.default_rng(0)
FEATURES = np.asfortranarray(RANDOM.normal(size=(ROWS, 3)))
WEIGHTS = RANDOM.gamma(1.0, 1.0, ROWS)
WEIGHTS /= WEIGHTS.mean()
FAST = {"num_leaves": 4, "max_rounds": 30, "learning_rate": 0.2}
TASKS = {
    TaskKind.BINARY: Task(TaskKind.BINARY, (0, 1)),
    TaskKind.MULTICLASS: Task(TaskKind.MULTICLASS, (0, 1, 2)),
    TaskKind.REGRESSION: Task(TaskKind.REGRESSION),
}


def data_of(kind: TaskKind, weights: np.ndarray | None = WEIGHTS) -> TrainingData:
    signal = FEATURES[:, 0] + FEATURES[:, 1] ** 2 + RANDOM.normal(size=ROWS)
    edges = {TaskKind.BINARY: [1.0], TaskKind.MULTICLASS: [0.3, 1.5]}.get(kind)
    target = signal if edges is None else np.searchsorted(edges, signal).astype(float)
    return TrainingData(
        FEATURES, target, tuple("abc"), (), TASKS[kind], None, weights, fit_weights=weights
    )


def lightgbm() -> LightGBMLearner:
    return LightGBMLearner(FAST, 0, 1, keep_fold_models=False)


def halves() -> tuple[np.ndarray, np.ndarray]:
    return np.arange(0, ROWS, 2), np.arange(1, ROWS, 2)


@pytest.mark.parametrize("kind", list(TASKS))
def test_the_model_is_that_of_lightgbm_with_the_same_weights(kind: TaskKind) -> None:
    data = data_of(kind)
    trainer = lightgbm().prepare(data)
    fits = [FoldFit(np.empty(0), 20, (), {})] * 3
    ours = trainer.refit(fits).predict(FEATURES)
    parameters = dict(trainer.parameters)
    dataset = lgb.Dataset(FEATURES, data.target, weight=WEIGHTS, params=parameters)
    theirs = lgb.train(parameters, dataset, num_boost_round=30)
    assert np.array_equal(ours, np.asarray(theirs.predict(FEATURES)))
    plain = lightgbm().prepare(replace(data, fit_weights=None)).refit(fits)
    assert not np.allclose(ours, plain.predict(FEATURES))


def test_folds_stop_by_the_weighted_loss() -> None:
    data, (fitted, held_out) = data_of(TaskKind.BINARY), halves()
    fit = lightgbm().prepare(data).fit_fold(fitted, held_out)
    best = min(loss for _, loss in fit.curve)
    target, weights = data.target[held_out], WEIGHTS[held_out]
    assert best == pytest.approx(sk.log_loss(target, fit.scores, sample_weight=weights))
    assert best != pytest.approx(sk.log_loss(target, fit.scores), rel=1e-3)


def test_a_training_loss_that_falls_by_weight_is_no_divergence() -> None:
    target = (RANDOM.random(ROWS) < 0.5).astype(float)  # noise, of which only the ones count
    weights = np.where(target == 1, 1.0, 1e-4)
    data = replace(data_of(TaskKind.BINARY), target=target, fit_weights=weights / weights.mean())
    fit = lightgbm().prepare(data).fit_fold(*halves())
    assert not fit.diverged
    assert fit.scores.mean() > 0.99


def test_the_size_of_the_trees_is_that_of_the_rows_that_count() -> None:
    random = np.random.default_rng(0)
    features = np.asfortranarray(random.normal(size=(4_000, 4)))
    joint = np.arange(4_000) % 2 == 1
    together = features[:, 0] * features[:, 1] * features[:, 2]
    target = np.where(joint, together > 0, features.sum(axis=1) + random.normal(size=4_000) > 0)
    sizes = []
    for heavy in (~joint, joint):
        weights = np.where(heavy, 2.0, 1e-6)
        data = TrainingData(
            features, target.astype(float), tuple("abcd"), (), TASKS[TaskKind.BINARY]
        )
        learner = LightGBMLearner({}, 0, 2, keep_fold_models=False)
        sizes.append(learner.prepare(replace(data, fit_weights=weights)).parameters["num_leaves"])
    assert sizes[0] <= 4 < sizes[1]


ESTIMATORS: dict[str, Any] = {
    "plain": (TaskKind.BINARY, LogisticRegression),
    "no probabilities": (TaskKind.BINARY, RidgeClassifier),
    "pipeline": (
        TaskKind.REGRESSION,
        lambda: make_pipeline(StandardScaler(), LinearRegression()),
    ),
    "scaled target": (TaskKind.REGRESSION, support_vectors),
}


def learner_of(make: Any) -> SklearnLearner:
    return SklearnLearner("module", {}, 0, 1, make)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_fit_weighted_rows_much_like_repeated_ones(name: str) -> None:
    kind, make = ESTIMATORS[name]
    times = RANDOM.integers(1, 4, ROWS)
    data = data_of(kind, times.astype(float))
    rows = np.repeat(np.arange(ROWS), times)
    twice = replace(data, features=FEATURES[rows], target=data.target[rows], fit_weights=None)
    weighted, repeated, plain = (
        learner_of(make).prepare(one).refit([]).predict(FEATURES)
        for one in (data, twice, replace(data, fit_weights=None))
    )
    off = [np.abs(one - repeated).mean() for one in (weighted, plain)]
    assert off[0] < 0.6 * off[1]


@pytest.mark.parametrize(
    "make",
    [
        "sklearn.neighbors.KNeighborsClassifier",
        lambda: make_pipeline(StandardScaler(), RidgeClassifier()),
    ],
    ids=["no weights", "a pipeline that must be calibrated"],
)
def test_an_estimator_that_cannot_weigh_rows_is_named(make: Any) -> None:
    learner = SklearnLearner(make, {}, 0, 1) if isinstance(make, str) else learner_of(make)
    with pytest.raises(ConfigError) as caught:
        learner.prepare(data_of(TaskKind.BINARY))
    named = make if isinstance(make, str) else "module"
    assert f"train.estimator = {named!r} takes no weights of rows" in caught.value.message
    learner.prepare(data_of(TaskKind.BINARY, None))


def test_a_blend_passes_weights_to_its_members() -> None:
    members: list[Learner] = [lightgbm(), learner_of(LogisticRegression)]
    data, fits = data_of(TaskKind.BINARY), halves()
    trainer = BlendLearner(members, [0.5, 0.5]).prepare(data)
    alone = [member.prepare(data).fit_fold(*fits).scores for member in members]
    assert trainer.fit_fold(*fits).scores == pytest.approx(np.mean(alone, axis=0))
    knn = SklearnLearner("sklearn.neighbors.KNeighborsClassifier", {}, 0, 1)
    blend = BlendLearner([lightgbm(), knn], [0.5, 0.5])
    with pytest.raises(ConfigError, match="takes no weights"):
        blend.prepare(data)


@pytest.mark.neural
def test_a_network_follows_the_rows_that_count() -> None:
    data = data_of(TaskKind.REGRESSION)
    first = np.arange(ROWS) < ROWS // 2
    target = np.where(first, 5.0, -5.0) + RANDOM.normal(size=ROWS)
    learner = NeuralLearner({"epochs": 20}, 0)
    for heavy, sign in ((first, 1), (~first, -1)):
        weights = np.where(heavy, 2.0, 1e-3)
        fit = learner.prepare(replace(data, target=target, fit_weights=weights)).fit_fold(*halves())
        assert sign * fit.scores.mean() > 2
