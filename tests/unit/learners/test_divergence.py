"""Boosting of several classes, some of them rare, converges; what diverges is repeated or reported."""

from typing import Any

import numpy as np
import pytest

from lightmodel.contract.task import Task, TaskKind
from lightmodel.learners.base import TrainingData
from lightmodel.learners.lightgbm import LightGBMLearner, LightGBMTrainer

# LightGBM's own default of lambda_l2, and leaves of any weight
UNLIMITED = {"lambda_l2": 0, "min_sum_hessian_in_leaf": 0, "num_leaves": 2, "max_rounds": 300}
TRAIN, HELD_OUT = np.arange(1_400), np.arange(1_400, 2_000)


def rare_classes() -> TrainingData:
    """Return 2,000 rows of 40 classes around centres of their own; the rarest have a few rows each."""
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, 41) ** 1.5
    target = random.choice(40, 2_000, p=shares / shares.sum())
    features = random.normal(size=(40, 5))[target] + random.normal(size=(2_000, 5))
    return TrainingData(
        features,
        target.astype(float),
        tuple("abcde"),
        (),
        Task(TaskKind.MULTICLASS, tuple(range(40))),
    )


def trainer(**given: Any) -> LightGBMTrainer:
    return LightGBMLearner(given, 0, 1, keep_fold_models=False).prepare(rare_classes())


def log_loss(scores: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> float:
    target = rare_classes().target.astype(int)
    true_class = scores[np.arange(len(rows)), target[rows]]
    return float(-np.log(np.maximum(true_class, 1e-15)).mean())


def shares_of_classes() -> float:
    """Return the log loss of the constant prediction."""
    counts = np.bincount(rare_classes().target.astype(int)[TRAIN], minlength=40)
    return log_loss(np.tile(counts / counts.sum(), (len(HELD_OUT), 1)), HELD_OUT)


def test_rare_classes_do_not_make_training_diverge() -> None:
    fold = trainer(num_leaves=8, max_rounds=300).fit_fold(TRAIN, HELD_OUT)
    assert not fold.diverged
    assert fold.model == {}  # fitted at the first rate
    assert log_loss(fold.scores, HELD_OUT) < 0.8 * shares_of_classes()


def test_a_fold_that_diverges_is_fitted_again_at_a_lower_rate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = trainer(**UNLIMITED)
    fold = one.fit_fold(TRAIN, HELD_OUT)
    assert not fold.diverged
    assert fold.model["rate_share"] < 1
    assert "training diverged at a learning rate of 0.2475" in caplog.text
    assert log_loss(fold.scores, HELD_OUT) < shares_of_classes()
    model = one.refit([fold, fold])
    assert log_loss(model.predict(rare_classes().features), np.arange(2_000)) < shares_of_classes()


def test_a_rate_that_the_user_chose_is_kept_and_its_divergence_reported() -> None:
    fold = trainer(**UNLIMITED, eta=0.5).fit_fold(TRAIN, HELD_OUT)
    assert fold.diverged
    assert fold.model == {}


@pytest.mark.parametrize("weights", [{"scale_pos_weight": 1_000}, {"is_unbalance": True}])
def test_class_weights_are_no_divergence(weights: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(1_000, 3))
    target = (features[:, 0] + random.normal(size=1_000) > 2.5).astype(float)
    data = TrainingData(features, target, tuple("abc"), (), Task(TaskKind.BINARY, (0, 1)))
    given = {**weights, "num_leaves": 4, "max_rounds": 50}
    one = LightGBMLearner(given, 0, 1, keep_fold_models=False).prepare(data)
    assert not one.fit_fold(np.arange(700), np.arange(700, 1_000)).diverged


def test_numbers_far_from_0_are_no_divergence() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(600, 3))
    target = 1e6 + features[:, 0] + random.normal(size=600)
    data = TrainingData(features, target, tuple("abc"), (), Task(TaskKind.REGRESSION))
    one = LightGBMLearner({"num_leaves": 4}, 0, 1, keep_fold_models=False).prepare(data)
    assert not one.fit_fold(np.arange(400), np.arange(400, 600)).diverged


@pytest.mark.parametrize("classes", [2, 3])
def test_a_fold_ends_where_it_is_as_sure_as_its_rows_can_tell(classes: int) -> None:
    target = np.repeat(np.arange(classes), 60).astype(float)
    data = TrainingData(
        target[:, None],
        target,
        ("a",),
        (),
        Task(TaskKind.MULTICLASS if classes > 2 else TaskKind.BINARY, tuple(range(classes))),
    )
    held_out = np.arange(0, len(target), 6)
    rows = np.setdiff1d(np.arange(len(target)), held_out)
    one = LightGBMLearner({"num_leaves": 4}, 0, 1, keep_fold_models=False).prepare(data)
    fold = one.fit_fold(rows, held_out)
    scores = np.stack([1 - fold.scores, fold.scores], axis=1) if classes == 2 else fold.scores
    lost = -np.log(scores[np.arange(len(held_out)), target[held_out].astype(int)]).mean()
    assert 0.1 / len(target) < lost <= 1 / len(target)
    assert fold.rounds < 300
