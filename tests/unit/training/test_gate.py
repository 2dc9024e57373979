"""The quality gate approves or rejects a candidate."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.config import GateSection
from lightmodel.contract.results import Comparison, Curves, Evaluation, FoldReport, Interval
from lightmodel.errors import ConfigError
from lightmodel.training.gate import judge


def evaluation(
    task: str, metric: str, value: float, dummy: float, served: float | None = None
) -> Evaluation:
    comparison = None
    if served is not None:
        comparison = Comparison("old", 500, 500, {metric: value}, {metric: served})
    return Evaluation(
        task=task,
        labels=(),
        threshold=None,
        rows=500,
        metrics={metric: Interval(value, value - 0.01, value + 0.01)},
        dummy={metric: dummy},
        classes=(),
        curves=Curves(),
        comparison=comparison,
        best_reachable=None,
    )


def test_a_model_that_beats_the_dummy_passes() -> None:
    verdict = judge(evaluation("binary", "auc", 0.9, 0.5), GateSection())
    assert verdict.passed
    assert verdict.reasons == ("AUC 0.9000 beats the dummy's 0.5000.",)


@pytest.mark.parametrize(
    ("task", "metric", "value", "dummy"),
    [("binary", "auc", 0.505, 0.5), ("regression", "rmse", 9.995, 10.0)],
)
def test_an_insignificant_margin_never_passes(
    task: str, metric: str, value: float, dummy: float
) -> None:
    verdict = judge(evaluation(task, metric, value, dummy), GateSection())
    assert not verdict.passed
    assert "does not beat the dummy's" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("task", "metric", "value", "minimum", "passed"),
    [
        ("binary", "auc", 0.85, 0.85, True),
        ("binary", "auc", 0.85, 0.9, False),
        ("binary", "auc", 0.9, 0.85, True),
        ("regression", "rmse", 5.0, 5.0, True),
        ("regression", "rmse", 5.0, 4.0, False),
        ("regression", "rmse", 4.0, 5.0, True),
    ],
)
def test_the_minimum_respects_the_direction_of_the_metric(
    task: str, metric: str, value: float, minimum: float, passed: bool
) -> None:
    dummy = 0.5 if metric == "auc" else 10.0
    verdict = judge(evaluation(task, metric, value, dummy), GateSection(minimum=minimum))
    assert verdict.passed is passed


@pytest.mark.parametrize(
    ("task", "metric", "value", "served", "passed"),
    [
        ("binary", "auc", 0.895, 0.9, True),
        ("binary", "auc", 0.88, 0.9, False),
        ("binary", "auc", 0.95, 0.9, True),
        ("regression", "rmse", 5.04, 5.0, True),
        ("regression", "rmse", 5.2, 5.0, False),
        ("regression", "rmse", 4.0, 5.0, True),
    ],
)
def test_falling_behind_the_served_model_by_more_than_a_share_fails(
    task: str, metric: str, value: float, served: float, passed: bool
) -> None:
    dummy = 0.5 if metric == "auc" else 10.0
    verdict = judge(
        evaluation(task, metric, value, dummy, served), GateSection(max_regression=0.01)
    )
    assert verdict.passed is passed
    (reason,) = (text for text in verdict.reasons if "neither model was trained on" in text)
    assert "On 500 rows" in reason
    limit = served * (0.99 if metric == "auc" else 1.01)
    assert f"(gate.max_regression 0.01: the limit is {limit:.4f})" in reason


def test_a_comparison_on_part_of_the_rows_says_so() -> None:
    compared = replace(
        evaluation("binary", "auc", 0.9, 0.5),
        comparison=Comparison("old", 400, 450, {"auc": 0.9}, {"auc": 0.9}),
    )
    verdict = judge(compared, GateSection())
    assert verdict.passed
    assert "On the 400 rows that satisfy its contract, of 450 that neither" in verdict.reasons[1]


def test_a_feature_that_alone_decides_the_target_is_named_without_a_rejection() -> None:
    verdict = judge(evaluation("binary", "auc", 1.0, 0.5), GateSection(), leaks=("outcome_code",))
    assert verdict.passed
    (reason,) = (text for text in verdict.reasons if "may be too good" in text)
    assert "column 'outcome_code' alone decides the target" in reason
    assert 'set data.ignore = ["outcome_code"]' in reason


def test_a_constant_model_is_rejected_in_words() -> None:
    found = replace(evaluation("binary", "auc", 0.5, 0.5), constant=True)
    verdict = judge(found, GateSection())
    assert not verdict.passed
    assert "has learnt nothing: it predicts the same for every test row" in verdict.reasons[0]


def test_a_candidate_that_was_not_compared_passes_only_by_a_setting() -> None:
    found = replace(evaluation("binary", "auc", 0.9, 0.5), uncompared="old predicts other classes")
    rejected = judge(found, GateSection())
    assert not rejected.passed
    assert "old predicts other classes; to approve it" in rejected.reasons[0]
    assert "gate.allow_uncompared = true" in rejected.reasons[0]
    approved = judge(found, GateSection(allow_uncompared=True))
    assert approved.passed
    assert "old predicts other classes" in approved.reasons[1]


def test_a_served_model_whose_metric_is_undefined_is_not_compared() -> None:
    verdict = judge(evaluation("binary", "auc", 0.9, 0.5, served=math.nan), GateSection())
    assert not verdict.passed
    assert "AUC of old is undefined on 500 rows" in verdict.reasons[0]


def test_a_fold_that_diverged_is_a_reason_for_rejection() -> None:
    folds = [FoldReport(number, 100, 10, {}, (), (), number == 2) for number in (1, 2, 3)]
    verdict = judge(evaluation("multiclass", "macro_f1", 0.5, 0.1), GateSection(), folds)
    assert not verdict.passed
    assert "Training diverged in fold 2 of 3" in verdict.reasons[0]
    assert "learning_rate" in verdict.reasons[0]


def test_failed_checks_come_first() -> None:
    worse = evaluation("binary", "auc", 0.9, 0.5, served=0.99)
    verdict = judge(worse, GateSection(minimum=0.8))
    assert "falls behind" in verdict.reasons[0]
    assert len(verdict.reasons) == 3


@given(value=st.floats(allow_nan=True), dummy=st.floats(allow_nan=True))
def test_a_metric_that_is_not_a_number_never_passes(value: float, dummy: float) -> None:
    if math.isnan(value) or math.isnan(dummy):
        assert not judge(evaluation("binary", "auc", value, dummy), GateSection()).passed


def test_a_metric_of_another_task_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="does not suit a regression task"):
        judge(evaluation("regression", "rmse", 1.0, 2.0), GateSection(metric="auc"))
