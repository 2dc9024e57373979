"""Metrics of answers whose labels have arrived."""

import math
from typing import Any

import pytest
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from lightmodel.contract.task import Task, TaskKind
from lightmodel.watch.labelled import LabelledRows, labelled_rows

BINARY = Task(TaskKind.BINARY, ("no", "yes"))


def rows_of(task: Task, *answers: tuple[str, Any, Any]) -> LabelledRows:
    """Return labelled answers, the last one of which was answered first."""
    times = [f"2026-01-{31 - at:02}T12:00:00.000000Z" for at in range(len(answers))]
    return labelled_rows(task, [(time, *one) for time, one in zip(times, answers, strict=True)])


def test_binary_answers_are_measured_by_the_logged_decisions() -> None:
    probabilities = [0.1, 0.4, 0.35, 0.8, 0.2]
    decided = ["no", "yes", "yes", "yes", "no"]  # by an unknown threshold
    labels = ["no", "no", "yes", "yes", "yes"]
    rows = rows_of(BINARY, *zip(labels, decided, probabilities, strict=True))
    assert len(rows) == 5
    assert rows.times.tolist() == sorted(rows.times)
    metrics = rows.metrics()
    target = [label == "yes" for label in labels]
    assert metrics["auc"] == pytest.approx(roc_auc_score(target, probabilities))
    assert metrics["log_loss"] == pytest.approx(log_loss(target, probabilities))
    assert metrics["f1"] == pytest.approx(f1_score(target, [answer == "yes" for answer in decided]))
    assert metrics["accuracy"] == pytest.approx(3 / 5)


def test_labels_of_numbers_and_booleans_match_their_feedback() -> None:
    for labels, texts in (((0, 1), ["0", "1"]), ((False, True), ["false", "true"])):
        task = Task(TaskKind.BINARY, labels)
        rows = rows_of(task, *zip(texts, labels, [0.2, 0.9], strict=True))
        assert rows.metrics()["accuracy"] == 1.0


def test_multiclass_answers_are_measured_by_class_name() -> None:
    task = Task(TaskKind.MULTICLASS, (3, 5, 9))
    probabilities = [
        {name: 0.8 if name == label else 0.1 for name in ("9", "3", "5")}
        for label in ("3", "5", "9")
    ]
    metrics = rows_of(task, *zip(["3", "5", "5"], [3, 5, 9], probabilities, strict=True)).metrics()
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["log_loss"] == pytest.approx(-(2 * math.log(0.8) + math.log(0.1)) / 3)


def test_regression_answers_are_measured_as_numbers() -> None:
    metrics = rows_of(Task(TaskKind.REGRESSION), ("2", 1.0, None), ("2", "2.5", None)).metrics()
    assert metrics["mae"] == pytest.approx(0.75)
    assert metrics["rmse"] == pytest.approx(math.sqrt(0.625))


@pytest.mark.parametrize(
    "task", [BINARY, Task(TaskKind.REGRESSION), Task(TaskKind.MULTICLASS, (1, 2, 3))]
)
def test_answers_to_another_task_are_left_out(task: Task) -> None:
    rows = rows_of(task, ("cat", "cat", {"cat": 0.5}), ("dog", "dog", "?"))
    assert (len(rows), rows.metrics()) == (0, {})


def test_labels_of_one_class_leave_the_auc_undefined() -> None:
    metrics = rows_of(BINARY, ("yes", "no", 0.1), ("yes", "yes", 0.9)).metrics()
    assert math.isnan(metrics["auc"])
    assert metrics["accuracy"] == 0.5
