"""Metrics of answers whose ground truth has come."""

import math

import pytest
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from lightmodel.contract.task import Task, TaskKind
from lightmodel.predictions.feedback import measure

BINARY = Task(TaskKind.BINARY, ("no", "yes"))


def test_binary_answers_are_measured_by_what_was_decided_then() -> None:
    probabilities = [0.1, 0.4, 0.35, 0.8, 0.2]
    decided = ["no", "yes", "yes", "yes", "no"]  # by a threshold that nobody here knows
    truths = ["no", "no", "yes", "yes", "yes"]
    live = measure("v", 9, BINARY, zip(truths, decided, probabilities, strict=True))
    assert (live.rows, live.labelled) == (9, 5)
    target = [truth == "yes" for truth in truths]
    assert live.metrics["auc"] == pytest.approx(roc_auc_score(target, probabilities))
    assert live.metrics["log_loss"] == pytest.approx(log_loss(target, probabilities))
    assert live.metrics["f1"] == pytest.approx(
        f1_score(target, [answer == "yes" for answer in decided])
    )
    assert live.metrics["accuracy"] == pytest.approx(3 / 5)


def test_labels_that_are_not_text_meet_their_truths() -> None:
    for labels, texts in (((0, 1), ["0", "1"]), ((False, True), ["false", "true"])):
        task = Task(TaskKind.BINARY, labels)
        live = measure("v", 2, task, zip(texts, labels, [0.2, 0.9], strict=True))
        assert live.metrics["accuracy"] == 1.0


def test_many_classes_are_measured_by_their_names() -> None:
    task = Task(TaskKind.MULTICLASS, (3, 5, 9))
    sure = [
        {name: 0.8 if name == own else 0.1 for name in ("9", "3", "5")} for own in ("3", "5", "9")
    ]
    live = measure("v", 3, task, zip(["3", "5", "5"], [3, 5, 9], sure, strict=True))
    assert live.metrics["accuracy"] == pytest.approx(2 / 3)
    assert live.metrics["log_loss"] == pytest.approx(-(2 * math.log(0.8) + math.log(0.1)) / 3)


def test_numbers_are_measured_as_numbers() -> None:
    live = measure("v", 2, Task(TaskKind.REGRESSION), [("2", 1.0, None), ("2", "2.5", None)])
    assert live.metrics["mae"] == pytest.approx(0.75)
    assert live.metrics["rmse"] == pytest.approx(math.sqrt(0.625))


@pytest.mark.parametrize(
    "task", [BINARY, Task(TaskKind.REGRESSION), Task(TaskKind.MULTICLASS, (1, 2, 3))]
)
def test_answers_of_another_table_are_left_out(task: Task) -> None:
    live = measure("v", 2, task, [("cat", "cat", {"cat": 0.5}), ("dog", "dog", "?")])
    assert (live.labelled, live.metrics) == (0, {})


def test_without_a_truth_there_is_no_metric() -> None:
    assert measure("v", 7, BINARY, []).metrics == {}


def test_truths_of_one_class_leave_the_auc_undefined() -> None:
    live = measure("v", 2, BINARY, [("yes", "no", 0.1), ("yes", "yes", 0.9)])
    assert math.isnan(live.metrics["auc"])
    assert live.metrics["accuracy"] == 0.5
