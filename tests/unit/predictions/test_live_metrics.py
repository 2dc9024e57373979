"""Metrics of answers whose labels have arrived."""

import math

import pytest
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from lightmodel.contract.task import Task, TaskKind
from lightmodel.predictions.feedback import measure

BINARY = Task(TaskKind.BINARY, ("no", "yes"))


def test_binary_answers_are_measured_by_the_logged_decisions() -> None:
    probabilities = [0.1, 0.4, 0.35, 0.8, 0.2]
    decided = ["no", "yes", "yes", "yes", "no"]  # by an unknown threshold
    labels = ["no", "no", "yes", "yes", "yes"]
    live = measure("v", 9, BINARY, zip(labels, decided, probabilities, strict=True))
    assert (live.rows, live.labelled) == (9, 5)
    target = [label == "yes" for label in labels]
    assert live.metrics["auc"] == pytest.approx(roc_auc_score(target, probabilities))
    assert live.metrics["log_loss"] == pytest.approx(log_loss(target, probabilities))
    assert live.metrics["f1"] == pytest.approx(
        f1_score(target, [answer == "yes" for answer in decided])
    )
    assert live.metrics["accuracy"] == pytest.approx(3 / 5)


def test_labels_of_numbers_and_booleans_match_their_feedback() -> None:
    for labels, texts in (((0, 1), ["0", "1"]), ((False, True), ["false", "true"])):
        task = Task(TaskKind.BINARY, labels)
        live = measure("v", 2, task, zip(texts, labels, [0.2, 0.9], strict=True))
        assert live.metrics["accuracy"] == 1.0


def test_multiclass_answers_are_measured_by_class_name() -> None:
    task = Task(TaskKind.MULTICLASS, (3, 5, 9))
    probabilities = [
        {name: 0.8 if name == label else 0.1 for name in ("9", "3", "5")}
        for label in ("3", "5", "9")
    ]
    live = measure("v", 3, task, zip(["3", "5", "5"], [3, 5, 9], probabilities, strict=True))
    assert live.metrics["accuracy"] == pytest.approx(2 / 3)
    assert live.metrics["log_loss"] == pytest.approx(-(2 * math.log(0.8) + math.log(0.1)) / 3)


def test_regression_answers_are_measured_as_numbers() -> None:
    live = measure("v", 2, Task(TaskKind.REGRESSION), [("2", 1.0, None), ("2", "2.5", None)])
    assert live.metrics["mae"] == pytest.approx(0.75)
    assert live.metrics["rmse"] == pytest.approx(math.sqrt(0.625))


@pytest.mark.parametrize(
    "task", [BINARY, Task(TaskKind.REGRESSION), Task(TaskKind.MULTICLASS, (1, 2, 3))]
)
def test_answers_to_another_task_are_left_out(task: Task) -> None:
    live = measure("v", 2, task, [("cat", "cat", {"cat": 0.5}), ("dog", "dog", "?")])
    assert (live.labelled, live.metrics) == (0, {})


def test_without_labels_there_are_no_metrics() -> None:
    assert measure("v", 7, BINARY, []).metrics == {}


def test_labels_of_one_class_leave_the_auc_undefined() -> None:
    live = measure("v", 2, BINARY, [("yes", "no", 0.1), ("yes", "yes", 0.9)])
    assert math.isnan(live.metrics["auc"])
    assert live.metrics["accuracy"] == 0.5
