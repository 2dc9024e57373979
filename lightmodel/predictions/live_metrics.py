"""How good the answers were, now that their ground truth is known."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightmodel.config import Config
from lightmodel.contract.columns import Contract
from lightmodel.contract.task import Task, TaskKind, label_name
from lightmodel.errors import ArtefactMissing
from lightmodel.predictions.factory import open_sink
from lightmodel.store.versions import models_of
from lightmodel.training.metrics import measure_answers

_Row = tuple[float, float, float | list[float]]  # ground truth, decision, score


@dataclass(frozen=True)
class LiveMetrics:
    """What a model version did.

    Attributes:
        rows: that it answered.
        labelled: ids among them whose ground truth is known.
        metrics: over those; NaN where one is undefined; empty when there are none.
    """

    version: str
    rows: int
    labelled: int = 0
    metrics: dict[str, float] = field(default_factory=dict)


def live_metrics(config: Config) -> list[LiveMetrics]:
    """Measure each model version on the labels that have come, oldest version first.

    Raises:
        ArtefactMissing: no model is left that says what the answers mean.
        SourceUnavailable: the sink is down.
    """
    contract = newest_contract(config)
    known = {
        version.name: Contract.from_dict(version.manifest.contract)
        for version in models_of(config).versions()
        if version.manifest.contract
    }
    with closing(open_sink(config)) as sink:
        return [
            measure(version, rows, known.get(version, contract).task, sink.labelled(version))
            for version, rows in sink.answered().items()
        ]


def newest_contract(config: Config) -> Contract:
    """Return the contract of the newest approved model, without loading the model.

    Raises:
        ArtefactMissing: there is none.
    """
    from lightmodel.store.verdict import newest_approved

    version = newest_approved(models_of(config))
    if version.manifest.contract is None:
        raise ArtefactMissing(f"{version.name} holds no contract", hint="train anew")
    return Contract.from_dict(version.manifest.contract)


def measure(
    version: str, rows: int, task: Task, labelled: Iterable[tuple[str, Any, Any]]
) -> LiveMetrics:
    """Measure the answers of one version, whose labelled ones are as `Sink.labelled` returns them.

    Answers that are not of this task are left out: a log may hold those of other tables.
    """
    codes = {label_name(label): code for code, label in enumerate(task.labels)}
    known = [row for answer in labelled if (row := _numbers(task, codes, answer)) is not None]
    if not known:
        return LiveMetrics(version, rows)
    target, decided, scores = (np.array(column, np.float64) for column in zip(*known, strict=True))
    metrics = measure_answers(task.kind, target, scores, decided.astype(np.int64))
    return LiveMetrics(version, rows, len(known), metrics)


def _numbers(task: Task, codes: Mapping[str, int], answer: tuple[str, Any, Any]) -> _Row | None:
    """Return an answer as numbers; None for what is no answer of this task."""
    truth, prediction, probability = answer
    try:
        if task.kind is TaskKind.REGRESSION:
            return float(truth), 0.0, float(prediction)
        scores = (
            float(probability)
            if task.kind is TaskKind.BINARY
            else [float(probability[name]) for name in codes]
        )
        return codes[truth], codes[label_name(prediction)], scores
    except (KeyError, TypeError, ValueError):
        return None
