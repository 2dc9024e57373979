"""How good the answers were, now that their truth is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightmodel.contract.task import Task, TaskKind, label_name
from lightmodel.predictions.base import Judged
from lightmodel.training.metrics import measure_answers


@dataclass(frozen=True)
class Live:
    """What a model version did.

    Attributes:
        rows: that it answered.
        judged: ids among them whose truth is known.
        metrics: over those; NaN where one is undefined; empty when there are none.
    """

    version: str
    rows: int
    judged: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


def judge(version: str, rows: int, task: Task, judged: Judged) -> Live:
    """Measure the answers of one version.

    Answers that are not of this task are left out: a log may hold those of other tables.
    """
    read = _number if task.kind is TaskKind.REGRESSION else _reader(task)
    found = (
        read(*row)
        for row in zip(judged.truths, judged.predictions, judged.probabilities, strict=True)
    )
    known = [row for row in found if row is not None]
    if not known:
        return Live(version, rows)
    target, decided, scores = (np.array(column, np.float64) for column in zip(*known, strict=True))
    metrics = measure_answers(task.kind, target, scores, decided.astype(np.int64))
    return Live(version, rows, len(known), metrics)


_Row = tuple[float, float, float | list[float]]  # truth, decision, score


def _number(truth: str, prediction: Any, _probability: object) -> _Row | None:  # noqa: ANN401 — JSON
    try:
        return float(truth), 0.0, float(prediction)
    except (TypeError, ValueError):
        return None


def _reader(task: Task) -> Callable[[str, Any, Any], _Row | None]:
    codes = {label_name(label): code for code, label in enumerate(task.labels)}

    def read(truth: str, prediction: Any, probability: Any) -> _Row | None:  # noqa: ANN401 — JSON
        try:
            score = (
                float(probability)
                if task.kind is TaskKind.BINARY
                else [float(probability[name]) for name in codes]
            )
            return codes[truth], codes[label_name(prediction)], score
        except (KeyError, TypeError, ValueError):
            return None

    return read
