"""Answered rows whose labels have arrived, as numbers to measure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from lightmodel.config import WatchSection
from lightmodel.contract.cells import Codes, Mask, Scores, Vector
from lightmodel.contract.results import Interval
from lightmodel.contract.task import Task, TaskKind, label_name
from lightmodel.predictions.base import utc_text
from lightmodel.training.metrics import measure_predictions, measure_predictions_with_intervals

_Row = tuple[str, float, float, float | list[float]]  # time, label, decision, score


@dataclass(frozen=True)
class LabelledRows:
    """Labelled answers of one model version, in the order of their times.

    Attributes:
        times: (rows,) when each was answered, in ISO format.
        target: (rows,) codes of the labels, or numbers.
        decided: (rows,) codes of the predictions, as they were answered; 0 for regression.
        scores: (rows,) or (rows, classes).
    """

    task: Task
    times: npt.NDArray[np.str_]
    target: Vector
    decided: Codes
    scores: Scores

    def __len__(self) -> int:
        return len(self.target)

    def where(self, mask: Mask) -> "LabelledRows":
        """Return the rows for which a mask holds."""
        target, decided, scores = self.target[mask], self.decided[mask], self.scores[mask]
        return LabelledRows(self.task, self.times[mask], target, decided, scores)

    def metrics(self) -> dict[str, float]:
        """Return every metric, NaN where it is undefined; empty if there are no rows."""
        if not len(self):
            return {}
        return measure_predictions(self.task, self.target, self.scores, self.decided)

    def intervals(self, resamples: int) -> dict[str, Interval]:
        """Return every metric with its 95 % bootstrap interval."""
        return measure_predictions_with_intervals(
            self.task, self.target, self.scores, self.decided, resamples
        )


def labelled_rows(task: Task, answers: Iterable[tuple[str, str, Any, Any]]) -> LabelledRows:
    """Return the labelled answers of a version, given as `Sink.labelled` returns them.

    Answers to other tasks are left out: a log may also hold those of other tables.
    """
    codes = {label_name(label): code for code, label in enumerate(task.labels)}
    rows = [row for answer in answers if (row := _as_numbers(task, codes, answer)) is not None]
    rows.sort(key=lambda row: row[0])
    times, target, decided, scores = zip(*rows, strict=True) if rows else ((), (), (), ())
    return LabelledRows(
        task,
        np.array(times, np.str_),
        np.array(target, np.float64),
        np.array(decided, np.int64),
        np.array(scores, np.float64),
    )


def recent_rows(labelled: LabelledRows, section: WatchSection) -> LabelledRows:
    """Return the rows of the last days up to the last labelled answer, or more to have enough."""
    if not len(labelled):
        return labelled
    last = datetime.fromisoformat(str(labelled.times[-1]))
    mask = labelled.times >= utc_text(last - timedelta(days=section.window_days))
    mask[-section.min_labels :] = True
    mask[: -section.max_rows] = False
    return labelled.where(mask)


def _as_numbers(
    task: Task, codes: Mapping[str, int], answer: tuple[str, str, Any, Any]
) -> _Row | None:
    """Return a labelled answer as numbers, or None if it is not an answer to this task."""
    time, label, prediction, probability = answer
    try:
        if task.kind is TaskKind.REGRESSION:
            return time, float(label), 0.0, float(prediction)
        scores = (
            float(probability)
            if task.kind is TaskKind.BINARY
            else [float(probability[name]) for name in codes]
        )
        return time, codes[label], codes[label_name(prediction)], scores
    except (KeyError, TypeError, ValueError):
        return None
