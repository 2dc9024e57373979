"""The finalists of a study: cross-validated in full, and compared over the folds."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lightmodel.contract.cells import Vector
from lightmodel.contract.task import Metric
from lightmodel.files import write_atomic
from lightmodel.pipeline.candidates import Candidate
from lightmodel.pipeline.context import RunContext, contract_of, metric_value
from lightmodel.pipeline.reuse import find_reusable
from lightmodel.pipeline.train import train_spec
from lightmodel.search.ranking import paired_difference
from lightmodel.store.manifest import json_bytes
from lightmodel.store.versions import Version
from lightmodel.training.cross_validation import cross_validate
from lightmodel.training.train import fold_reports

SCORES = "scores.json"


def score_finalist(
    context: RunContext, split: Version, table: pa.Table, folder: Path, candidate: Candidate
) -> Candidate:
    """Return a candidate with its scores over train.folds, which are reused if they are known.

    Fitted folds are kept as checkpoints, so that `train` with the same settings need not fit them again.
    """
    known = _known_scores(folder)
    scored = _scores_of(find_reusable(context.models, candidate.key).version)
    scored = scored or known.get(candidate.key)
    if scored is None:
        spec = train_spec(candidate.config, candidate.key, context.progress)
        result = cross_validate(table, contract_of(split), spec)
        folds = [dict(fold.metrics) for fold in fold_reports(result)]
        scored = {"metrics": result.metrics, "folds": folds}
        write_atomic(folder / SCORES, json_bytes({**known, candidate.key: scored}))
    return replace(candidate, metrics=scored["metrics"], folds=tuple(scored["folds"]))


def _scores_of(model: Version | None) -> Mapping[str, Any] | None:
    """Return the metrics of a model, pooled and of its folds; None if there is no model."""
    if model is None:
        return None
    folds = json.loads(model.read("metrics.json"))["folds"]
    return {"metrics": model.manifest.metrics, "folds": [fold["metrics"] for fold in folds]}


def _known_scores(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the metrics that were computed before, by fingerprint; an older form counts as unknown."""
    try:
        scores: dict[str, Mapping[str, Any]] = json.loads((folder / SCORES).read_bytes())
    except (OSError, ValueError):
        return {}
    return {key: one for key, one in scores.items() if "folds" in one}


def exceeds_noise(best: Candidate, other: Candidate, metric: Metric, comparisons: int) -> bool:
    """Return whether the best of so many candidates is better than another by more than chance.

    Chance is the noise of the paired differences between the folds.
    """
    gain, noise = paired_difference(
        _by_fold(best, metric), _by_fold(other, metric), metric, comparisons
    )
    return gain > noise


def _by_fold(candidate: Candidate, metric: Metric) -> Vector:
    return np.array([metric_value(fold, metric) for fold in candidate.folds], np.float64)
