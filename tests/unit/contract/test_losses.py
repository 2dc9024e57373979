"""Losses are scikit-learn's, row by row, and know which targets and numbers suit them."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.loss_values import best_constant, check_target, row_losses
from lightmodel.contract.losses import Loss, LossName, loss_of
from lightmodel.contract.task import METRICS, Task, TaskKind, gate_metric
from lightmodel.errors import ConfigError
from lightmodel.training.metrics import measure

NAMES = [str(name) for name in LossName if name is not LossName.SQUARED]
THEIRS = {
    "mae": sk.mean_absolute_error,
    "quantile": lambda target, scores: sk.mean_pinball_loss(target, scores, alpha=0.8),
    "poisson": sk.mean_poisson_deviance,
    "gamma": sk.mean_gamma_deviance,
    "tweedie": lambda target, scores: sk.mean_tweedie_deviance(target, scores, power=1.3),
    "cross_entropy": lambda target, scores: (
        2
        * np.mean(
            target * np.log(target / scores) + (1 - target) * np.log((1 - target) / (1 - scores))
        )
    ),
    "huber": lambda target, scores: np.mean(
        [0.5 * e * e if e <= 0.3 else 0.3 * (e - 0.15) for e in np.abs(target - scores)]
    ),
}
ALPHAS = {"quantile": 0.8, "tweedie": 1.3, "huber": 0.3}


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 50))
def test_the_losses_are_scikit_learns(name: str, seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    target, scores = random.uniform(0.05, 0.95, (2, rows))
    loss = loss_of(name, ALPHAS.get(name))
    ours = row_losses(loss, target, scores)
    assert ours.mean() == pytest.approx(THEIRS[name](target, scores), rel=1e-9)
    assert row_losses(loss, target, target) == pytest.approx(0, abs=1e-12)
    task = Task(TaskKind.REGRESSION, loss=loss)
    metrics = measure(task, target, scores, None)
    assert set(metrics) == {"rmse", "mae", "r2", loss.metric}
    if loss.metric != "mae":
        assert metrics[loss.metric] == pytest.approx(ours.mean())
    assert gate_metric("auto", task) == METRICS[loss.metric]


@pytest.mark.parametrize("name", NAMES)
def test_no_constant_is_better_than_the_best_one(name: str) -> None:
    target = np.random.default_rng(0).beta(2, 5, 999)
    loss = loss_of(name, ALPHAS.get(name))
    best = best_constant(loss, target)
    lost = {
        one: row_losses(loss, target, np.full(999, one)).mean()
        for one in (best, best * 0.9, best * 1.1)
    }
    if name != "huber":  # between the mean and the median
        assert min(lost, key=lambda one: lost[one]) == best


def test_zeros_are_counts_and_amounts_but_not_of_gamma() -> None:
    target = np.array([0.0, 0.0, 2.0])
    for name in ("poisson", "tweedie"):
        check_target(loss_of(name, None), target, "visits")
        assert np.isfinite(row_losses(loss_of(name, None), target, np.full(3, 0.5))).all()
    with pytest.raises(
        ConfigError, match=r"'gamma' is for numbers above 0, but 2 of 3 training rows"
    ):
        check_target(loss_of("gamma", None), target, "visits")
    with pytest.raises(ConfigError, match=r"from 0 to 1, but 1 of 3 .* another 'visits'"):
        check_target(loss_of("cross_entropy", None), target, "visits")
    with pytest.raises(ConfigError, match="of at least 0, but 1 of 1 "):
        check_target(loss_of("poisson", None), np.array([-1.0]), "visits")
    check_target(Loss(), np.array([-1.0]), "visits")


@pytest.mark.parametrize(
    ("name", "alpha", "told"),
    [
        ("quantile", 1.0, "between 0 and 1"),
        ("tweedie", 2.0, "between 1 and 2"),
        ("poisson", 0.5, "it belongs to huber, quantile, tweedie"),
        ("auto", 0.5, "it belongs to huber, quantile, tweedie"),
    ],
)
def test_an_alpha_that_does_not_suit_is_refused(name: str, alpha: float, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loss_of(name, alpha)
    assert told in str(refused.value.hint)


def test_tasks_with_a_loss_survive_json_and_others_are_written_as_before() -> None:
    plain = Task(TaskKind.REGRESSION)
    assert plain.to_dict() == {"kind": "regression", "labels": []}
    for name in NAMES:
        task = Task(TaskKind.REGRESSION, loss=loss_of(name, None))
        assert Task.from_dict(task.to_dict()) == task
    assert Task.from_dict(plain.to_dict()) == plain


def test_models_are_compared_if_they_predict_the_same() -> None:
    mean, count, median, high = (
        Task(TaskKind.REGRESSION, loss=loss)
        for loss in (
            Loss(),
            loss_of("poisson", None),
            loss_of("mae", None),
            loss_of("quantile", 0.9),
        )
    )
    assert mean.difference(count) == count.difference(mean) == ""
    assert median.difference(high) == "the quantile 0.9, not the quantile 0.5"
    assert mean.difference(median) == "the quantile 0.5, not the mean"
    assert median.difference(Task(TaskKind.REGRESSION, loss=loss_of("quantile", 0.5))) == ""


def test_a_metric_of_another_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'pinball' does not suit train.objective = 'poisson'"):
        gate_metric("pinball", Task(TaskKind.REGRESSION, loss=loss_of("poisson", None)))
    with pytest.raises(ConfigError, match=r"'deviance' does not suit a binary task"):
        gate_metric("deviance", Task(TaskKind.BINARY, (0, 1)))
