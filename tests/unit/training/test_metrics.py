"""Metrics equal scikit-learn's; intervals come from resampling."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from lightmodel.config import TrainSection
from lightmodel.contract.task import Task, TaskKind
from lightmodel.training.metrics import (
    choose_threshold,
    measure,
    measure_with_intervals,
    paired_differences,
    predicted_codes,
    weighted_auc,
)

RANDOM = np.random.default_rng(0)


def binary(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    target = random.integers(0, 2, rows).astype(float)
    target[:2] = 0, 1
    scores = np.clip(random.normal(0.3 + 0.3 * target, 0.2), 0.01, 0.99).round(2)  # with ties
    return target, scores


@given(rows=st.integers(2, 300), seed=st.integers(0, 10_000))
def test_binary_metrics_are_scikit_learns(rows: int, seed: int) -> None:
    target, scores = binary(rows, seed)
    decided = scores >= 0.5
    ours = measure(Task(TaskKind.BINARY), target, scores, 0.5)
    theirs = {
        "auc": sk.roc_auc_score(target, scores),
        "log_loss": sk.log_loss(target, scores),
        "accuracy": sk.accuracy_score(target, decided),
        "precision": sk.precision_score(target, decided, zero_division=0),
        "recall": sk.recall_score(target, decided),
        "f1": sk.f1_score(target, decided),
        "brier": sk.brier_score_loss(target, scores),
    }
    assert ours == pytest.approx(theirs)


@given(rows=st.integers(6, 200), seed=st.integers(0, 10_000))
def test_multiclass_metrics_are_scikit_learns(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random.integers(0, 3, rows).astype(float)
    target[:3] = 0, 1, 2
    scores = random.dirichlet([1, 1, 1], rows)
    decided = scores.argmax(axis=1)
    theirs = {
        "macro_f1": sk.f1_score(target, decided, average="macro"),
        "accuracy": sk.accuracy_score(target, decided),
        "log_loss": sk.log_loss(target, scores),
        "macro_precision": sk.precision_score(target, decided, average="macro", zero_division=0),
        "macro_recall": sk.recall_score(target, decided, average="macro"),
    }
    assert measure(Task(TaskKind.MULTICLASS), target, scores, None) == pytest.approx(theirs)


@given(rows=st.integers(2, 200), seed=st.integers(0, 10_000))
def test_regression_metrics_are_scikit_learns(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    target, scores = random.normal(size=rows), random.normal(size=rows)
    theirs = {
        "rmse": sk.root_mean_squared_error(target, scores),
        "mae": sk.mean_absolute_error(target, scores),
        "r2": sk.r2_score(target, scores),
    }
    assert measure(Task(TaskKind.REGRESSION), target, scores, None) == pytest.approx(theirs)


def test_weighted_auc_is_the_auc_of_repeated_rows() -> None:
    target, scores = binary(50, 3)
    times = RANDOM.integers(0, 4, 50)
    repeated = np.repeat(np.arange(50), times)
    expected = sk.roc_auc_score(target[repeated], scores[repeated])
    found = weighted_auc(target.astype(np.int64), scores, times[None, :].astype(float))
    assert found[0] == pytest.approx(expected)


def test_an_interval_holds_the_value_and_narrows_with_more_rows() -> None:
    widths = []
    for rows in (200, 5_000):
        target, scores = binary(rows, 1)
        auc = measure_with_intervals(Task(TaskKind.BINARY), target, scores, 0.5, 200)["auc"]
        assert auc.low < auc.value < auc.high
        widths.append(auc.high - auc.low)
    assert widths[1] < widths[0] / 3


def test_without_resamples_the_interval_is_a_point() -> None:
    target, scores = binary(50, 1)
    f1 = measure_with_intervals(Task(TaskKind.BINARY), target, scores, 0.5, 0)["f1"]
    assert f1.low == f1.value == f1.high


def test_one_class_alone_has_no_auc() -> None:
    found = measure(Task(TaskKind.BINARY), np.zeros(5), np.linspace(0, 1, 5), 0.5)
    assert math.isnan(found["auc"])
    assert found["accuracy"] == 0.4


@pytest.mark.parametrize("rule", ["f1", "youden", "cost"])
def test_the_chosen_threshold_is_the_best_one(rule: str) -> None:
    target, scores = binary(300, 7)
    section = TrainSection(threshold=rule, cost_false_positive=2, cost_false_negative=5)

    def merit(threshold: float) -> float:
        decided = scores >= threshold
        _, false_alarms, missed, hits = sk.confusion_matrix(target, decided).ravel()
        if rule == "f1":
            return float(2 * hits / (2 * hits + false_alarms + missed))
        if rule == "youden":
            return float(hits / (hits + missed) - false_alarms / (target == 0).sum())
        return float(-2 * false_alarms - 5 * missed)

    best = max(merit(threshold) for threshold in np.linspace(0, 1.01, 203))
    assert merit(choose_threshold(target.astype(np.int64), scores, section)) == pytest.approx(best)


def test_the_threshold_can_be_fixed_at_one_half() -> None:
    target, scores = binary(30, 7)
    assert choose_threshold(target.astype(np.int64), scores, TrainSection(threshold="0.5")) == 0.5


def test_a_paired_difference_is_known_better_than_either_metric() -> None:
    random = np.random.default_rng(3)
    target = random.integers(0, 2, 400).astype(float)
    first = np.clip(0.2 * target + random.random(400) * 0.8, 0, 1)
    second = np.clip(first + random.normal(0, 0.02, 400), 0, 1)
    models = [(one, predicted_codes(one, None)) for one in (first, second)]
    differences = paired_differences(Task(TaskKind.BINARY), target, models[0], models[1], 200)
    alone = [
        measure_with_intervals(Task(TaskKind.BINARY), target, one, None, 200)
        for one in (first, second)
    ]
    for name, difference in differences.items():
        values = [intervals[name].value for intervals in alone]
        assert difference.value == pytest.approx(values[1] - values[0])
        assert difference.low <= difference.value <= difference.high
    auc, width = differences["auc"], alone[0]["auc"].high - alone[0]["auc"].low
    assert auc.high - auc.low < width / 2
    same = paired_differences(Task(TaskKind.BINARY), target, models[0], models[0], 50)
    assert {(one.value, one.low, one.high) for one in same.values()} == {(0.0, 0.0, 0.0)}
    exact = paired_differences(Task(TaskKind.BINARY), target, models[0], models[1], 0)["auc"]
    assert exact.low == exact.high == auc.value
