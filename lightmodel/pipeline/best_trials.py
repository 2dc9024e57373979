"""The best trials of a study, cross-validated in full beside the present settings."""

import csv
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from lightmodel.contract.columns import Contract
from lightmodel.contract.metrics import Metric
from lightmodel.pipeline.candidates import Attempt, Scored, attempt_with, value_of
from lightmodel.pipeline.context import Workshop, find_reusable
from lightmodel.pipeline.train import recipe_of
from lightmodel.search.space import TrialReport
from lightmodel.store.files import write_whole
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Version

SCORES = "scores.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finalist:
    """Parameters that were cross-validated in full.

    Attributes:
        trial: that they come from; None: the present settings.
        attempt: train.parameters, and their scores by train.folds.
    """

    trial: TrialReport | None
    attempt: Attempt

    def value(self, metric: Metric) -> float:
        """Give the out-of-fold value in full."""
        return value_of(self.attempt.metrics or {}, metric)


@dataclass(frozen=True)
class Final:
    """What finalists are cross-validated with: the run's settings, a split, and a study's folder."""

    workshop: Workshop
    split: Version
    table: pa.Table
    folder: Path


def best_trials(
    trials: Sequence[TrialReport], metric: Metric, count: int
) -> tuple[TrialReport, ...]:
    """Give the best of the trials that were finished, the best first, each set of parameters once."""
    finished = [trial for trial in trials if trial.state == "complete"]
    ranked = sorted(finished, key=lambda one: one.value, reverse=metric.higher_is_better)
    different = {tuple(sorted(trial.parameters.items())): trial for trial in reversed(ranked)}
    return tuple(sorted(different.values(), key=ranked.index)[:count])


def cross_validated(final: Final, attempt: Attempt) -> Attempt:
    """Score an attempt by train.folds in full, unless that was done before.

    The folds stay in the checkpoints, so that `train` by the same settings need not fit them again.
    """
    found = find_reusable(final.workshop.models, attempt.key).version
    known = _known(final.folder)
    metrics: Scored | None = found.manifest.metrics if found else known.get(attempt.key)
    if metrics is None:
        from lightmodel.training.train import cross_validate

        contract = Contract.from_dict(final.split.manifest.contract or {})
        recipe = recipe_of(attempt.workshop, attempt.key)
        metrics = cross_validate(final.table, contract, recipe).metrics
        write_whole(final.folder / SCORES, json_bytes({**known, attempt.key: metrics}))
    return replace(attempt, metrics=metrics)


def _known(folder: Path) -> dict[str, Scored]:
    try:
        found: dict[str, Scored] = json.loads((folder / SCORES).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def finalist(final: Final, given: Mapping[str, Any], trial: TrialReport) -> Finalist:
    """Cross-validate a trial's parameters in full."""
    logger.info("trial %d in full: %s", trial.number, _words(trial.parameters))
    attempt = attempt_with(final.workshop, final.split, {**given, **trial.parameters})
    return Finalist(trial, cross_validated(final, attempt))


def _words(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def ranked(finalists: Sequence[Finalist], metric: Metric) -> tuple[Finalist, ...]:
    """Give them the best first; among equals, what is there already comes first."""
    sign = -1 if metric.higher_is_better else 1

    def place(one: Finalist) -> tuple[bool, float, bool]:
        value = one.value(metric)
        return value != value, sign * value, one.trial is not None

    return tuple(sorted(finalists, key=place))


def finalists_table(finalists: Sequence[Finalist], metric: Metric) -> bytes:
    """Write them as CSV: rank, trial, both scores, all metrics, parameters."""
    metrics = sorted({name for one in finalists for name in one.attempt.metrics or {}})
    parameters = sorted({name for one in finalists for name in one.attempt.parameters})
    head = ["rank", "trial", f"{metric.name}_of_trial", *metrics, *parameters]
    rows = [
        [
            rank,
            one.trial.number if one.trial else "present settings",
            one.trial.value if one.trial else "",
            *((one.attempt.metrics or {}).get(name, "") for name in metrics),
            *(one.attempt.parameters.get(name, "") for name in parameters),
        ]
        for rank, one in enumerate(finalists, 1)
    ]
    return _csv(head, rows)


def trials_table(trials: Sequence[TrialReport], metric: Metric) -> bytes:
    """Write all trials as CSV: number, state, value, folds seen, times, parameters."""
    parameters = sorted({name for trial in trials for name in trial.parameters})
    head = ["trial", "state", metric.name, "folds", "created", "ended", *parameters]
    rows = [
        [
            *(trial.number, trial.state, trial.value, len(trial.folds)),
            *(trial.created, trial.ended),
            *(trial.parameters.get(name, "") for name in parameters),
        ]
        for trial in trials
    ]
    return _csv(head, rows)


def _csv(head: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    written.writerow(head)
    written.writerows(rows)
    return text.getvalue().encode()
