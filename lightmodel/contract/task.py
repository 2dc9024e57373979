"""What kind of answer is asked for, and how labels become numbers and come back."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
    """A task and its labels, in the order of their codes; for binary the second one is positive."""

    kind: TaskKind
    labels: tuple[Label, ...] = ()

    @property
    def positive(self) -> Label | None:
        """The label whose probability a binary model gives."""
        return self.labels[1] if self.kind is TaskKind.BINARY else None

    def to_dict(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {"kind": str(self.kind), "labels": list(self.labels)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Task":
        """Read back what `to_dict` gave."""
        return cls(TaskKind(content["kind"]), tuple(content["labels"]))


def ordered_labels(labels: Sequence[Label], positive: str = "auto") -> tuple[Label, ...]:
    """Sort labels; of two, put the positive one second.

    Args:
        labels: the distinct labels, of one type.
        positive: how the positive one is written, or "auto": 1, yes, true …, else the last by name.

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
            raise ValueError(f"no row has the positive label {positive!r}; found are {names}")
        return positive == names[0]
    found = [label_name(label).lower() in _POSITIVE for label in (first, second)]
    return found == [True, False]


def label_name(label: Label) -> str:
    """Write a label as text, as it stands in headings, keys and CSV."""
    return str(label).lower() if isinstance(label, bool) else str(label)
