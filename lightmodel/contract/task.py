"""The kind of prediction task, its labels in the order of their codes, and the metrics by name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lightmodel.contract.losses import SQUARED, Loss, LossName
from lightmodel.errors import ConfigError

Label = str | int | float | bool

_POSITIVE = ("1", "yes", "y", "true", "t", "positive", "pos")


class TaskKind(StrEnum):
    """The three kinds of supervised task."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"

    @property
    def has_classes(self) -> bool:
        """Whether the target is one of a few labels."""
        return self is not TaskKind.REGRESSION


@dataclass(frozen=True)
class Task:
    """A task and its labels, in the order of their codes; for binary the second one is positive.

    Attributes:
        loss: what training lowers, for regression; classes have the log loss.
    """

    kind: TaskKind
    labels: tuple[Label, ...] = ()
    loss: Loss = SQUARED

    @property
    def positive(self) -> Label | None:
        """The label whose probability a binary model predicts; None for other tasks."""
        return self.labels[1] if self.kind is TaskKind.BINARY else None

    def difference(self, other: "Task") -> str:
        """Return what another task predicts that this one does not, in words; "" if both answer alike."""
        if (self.kind, self.labels) != (other.kind, other.labels):
            return "other classes"
        same = self.loss.predicts == other.loss.predicts
        return "" if same else f"{other.loss.predicts}, not {self.loss.predicts}"

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        loss = {} if self.loss == SQUARED else {"loss": self.loss.to_dict()}
        return {"kind": str(self.kind), "labels": list(self.labels), **loss}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Task":
        """Return the task of a dict that `to_dict` made."""
        loss = content.get("loss", {"name": "squared"})
        return cls(
            TaskKind(content["kind"]),
            tuple(content["labels"]),
            Loss(LossName(loss["name"]), loss.get("alpha", 0.0)),
        )


def ordered_labels(labels: Sequence[Label], positive: str = "auto") -> tuple[Label, ...]:
    """Sort labels; of two, put the positive one second.

    Args:
        labels: the distinct labels, of one type.
        positive: the text of the positive label; "auto" takes 1, yes, true …, else the last one sorted.

    Raises:
        ValueError: `positive` is not among the labels.
    """
    ordered = sorted(labels)
    if len(ordered) != 2:
        return tuple(ordered)
    first, second = ordered
    return (second, first) if _is_positive(first, second, positive) else (first, second)


def _is_positive(first: Label, second: Label, positive: str) -> bool:
    """Return whether `first` rather than `second` is the positive label."""
    if positive != "auto":
        names = [label_name(first), label_name(second)]
        if positive not in names:
            raise ValueError(f"no row has the positive label {positive!r}; the labels are {names}")
        return positive == names[0]
    return _known_positives((first, second)) == [True, False]


def is_guess(labels: Sequence[Label]) -> bool:
    """Return whether "auto" knows none of two labels, or both, so that their order decides."""
    known = _known_positives(labels)
    return len(known) == 2 and known[0] == known[1]


def _known_positives(labels: Sequence[Label]) -> list[bool]:
    return [label_name(label).lower() in _POSITIVE for label in labels]


def label_name(label: Label) -> str:
    """Return a label as text, as written in headings, keys and CSV."""
    return str(label).lower() if isinstance(label, bool) else str(label)


_ANSWER_NAME = re.compile(
    r"prediction|probability|contributions|base_value|contribution_\d+_(feature|value)"
)


def is_answer_name(name: str, task: Task) -> bool:
    """Return whether an answer can hold a value of this name, in JSON or in CSV, beside the id."""
    classes = {f"probability_{label_name(label)}" for label in task.labels}
    return name in classes or _ANSWER_NAME.fullmatch(name) is not None


_BINARY = frozenset({TaskKind.BINARY})
_MULTICLASS = frozenset({TaskKind.MULTICLASS})
_CLASSES = _BINARY | _MULTICLASS
_REGRESSION = frozenset({TaskKind.REGRESSION})


@dataclass(frozen=True)
class Metric:
    """One metric; `title` is its name in headings."""

    name: str
    title: str
    kinds: frozenset[TaskKind]
    higher_is_better: bool = True

    def better(self, one: float, other: float) -> bool:
        """Return whether `one` is strictly better than `other`; NaN is never better."""
        return one > other if self.higher_is_better else one < other

    def worsened(self, value: float, share: float) -> float:
        """Return the value that is `share` (0.01: one per cent) worse than `value`."""
        return value - abs(value) * share * (1 if self.higher_is_better else -1)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("auc", "AUC", _BINARY),
        Metric("log_loss", "Log loss", _CLASSES, higher_is_better=False),
        Metric("accuracy", "Accuracy", _CLASSES),
        Metric("precision", "Precision", _BINARY),
        Metric("recall", "Recall", _BINARY),
        Metric("f1", "F1", _BINARY),
        Metric("brier", "Brier score", _BINARY, higher_is_better=False),
        Metric("macro_precision", "Macro precision", _MULTICLASS),
        Metric("macro_recall", "Macro recall", _MULTICLASS),
        Metric("macro_f1", "Macro F1", _MULTICLASS),
        Metric("rmse", "RMSE", _REGRESSION, higher_is_better=False),
        Metric("mae", "MAE", _REGRESSION, higher_is_better=False),
        Metric("r2", "R²", _REGRESSION),
        Metric("deviance", "Deviance", _REGRESSION, higher_is_better=False),
        Metric("pinball", "Pinball loss", _REGRESSION, higher_is_better=False),
    )
}
_DEFAULT = {TaskKind.BINARY: "auc", TaskKind.MULTICLASS: "macro_f1"}
_OF_LOSSES = {"deviance", "pinball"}  # metrics of tasks with such a loss only


def gate_metric(name: str, task: Task) -> Metric:
    """Return the metric that decides; "auto" is the task's default.

    Raises:
        ConfigError: the metric does not suit the task.
    """
    default = _DEFAULT.get(task.kind, task.loss.metric)
    metric = METRICS[default if name == "auto" else name]
    fitting = [item.name for item in METRICS.values() if _suits(item, task)]
    if metric.name not in fitting:
        what = f"a {task.kind} task"
        if metric.name in _OF_LOSSES and task.kind is TaskKind.REGRESSION:
            what = f"train.objective = {str(task.loss.name)!r}"
        raise ConfigError(
            f"gate.metric = {name!r} does not suit {what}", hint=f"use one of {', '.join(fitting)}"
        )
    return metric


def _suits(metric: Metric, task: Task) -> bool:
    return task.kind in metric.kinds and (
        metric.name not in _OF_LOSSES or metric.name == task.loss.metric
    )
