"""The best trials of a study, cross-validated in full beside the present settings, and their tables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from lightmodel.contract.task import Metric
from lightmodel.files import write_atomic
from lightmodel.pipeline.candidates import Candidate
from lightmodel.pipeline.context import RunContext, Scored, contract_of
from lightmodel.pipeline.reuse import find_reusable
from lightmodel.pipeline.train import csv_bytes, train_spec
from lightmodel.search.base import TrialReport
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Version

SCORES = "scores.json"


@dataclass(frozen=True)
class Finalist:
    """Parameters that were cross-validated by train.folds in full.

    Attributes:
        trial: that they come from; None: the present settings.
        candidate: train.parameters, and their scores.
    """

    trial: TrialReport | None
    candidate: Candidate

    def value(self, metric: Metric) -> float:
        """Return the out-of-fold value in full."""
        return self.candidate.value(metric)


def best_trials(
    trials: Sequence[TrialReport], metric: Metric, count: int
) -> tuple[TrialReport, ...]:
    """Return the best of the finished trials, the best first, each set of parameters once."""
    finished = [trial for trial in trials if trial.state == "complete"]
    ranked = sorted(finished, key=lambda one: one.value, reverse=metric.higher_is_better)
    different = {tuple(sorted(trial.parameters.items())): trial for trial in reversed(ranked)}
    return tuple(sorted(different.values(), key=ranked.index)[:count])


def cross_validate_fully(
    context: RunContext, split: Version, table: pa.Table, folder: Path, candidate: Candidate
) -> Candidate:
    """Return a candidate with its scores by train.folds, fitting only what was not scored before.

    The folds stay in the checkpoints, so that `train` by the same settings need not fit them again.

    Args:
        context: of the run.
        split: whose training rows are used.
        table: these rows.
        folder: of the study; keeps the scores.
        candidate: to score.
    """
    made = find_reusable(context.models, candidate.key).version
    known = _known_scores(folder)
    metrics: Scored | None = made.manifest.metrics if made else known.get(candidate.key)
    if metrics is None:
        from lightmodel.training.train import cross_validate

        spec = train_spec(candidate.config, candidate.key, context.progress)
        metrics = cross_validate(table, contract_of(split), spec).metrics
        write_atomic(folder / SCORES, json_bytes({**known, candidate.key: metrics}))
    return replace(candidate, metrics=metrics)


def _known_scores(folder: Path) -> dict[str, Scored]:
    try:
        scores: dict[str, Scored] = json.loads((folder / SCORES).read_bytes())
    except (OSError, ValueError):
        return {}
    return scores


def rank_finalists(finalists: Sequence[Finalist], metric: Metric) -> tuple[Finalist, ...]:
    """Return the finalists, the best first; among equals, the present settings come first."""
    sign = -1 if metric.higher_is_better else 1

    def place(one: Finalist) -> tuple[bool, float, bool]:
        value = one.value(metric)
        return value != value, sign * value, one.trial is not None

    return tuple(sorted(finalists, key=place))


def finalists_csv(finalists: Sequence[Finalist], metric: Metric) -> bytes:
    """Return a CSV with rank, trial, score of the trial, all metrics in full and parameters."""
    return csv_bytes(
        [
            {
                "rank": rank,
                "trial": one.trial.number if one.trial else "present settings",
                f"{metric.name}_of_trial": one.trial.value if one.trial else "",
                **(one.candidate.metrics or {}),
                **one.candidate.parameters,
            }
            for rank, one in enumerate(finalists, 1)
        ]
    )


def trials_csv(trials: Sequence[TrialReport], metric: Metric) -> bytes:
    """Return a CSV of all trials: number, state, value, number of folds, times and parameters."""
    return csv_bytes(
        [
            {
                "trial": trial.number,
                "state": trial.state,
                metric.name: trial.value,
                "folds": len(trial.folds),
                "created": trial.created,
                "ended": trial.ended,
                **trial.parameters,
            }
            for trial in trials
        ]
    )
