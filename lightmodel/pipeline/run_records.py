"""The runs that are tracked: a model once testing has judged it, a comparison and its entries."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lightmodel.contract.results import Evaluation
from lightmodel.store.verdict import StoredVerdict
from lightmodel.store.versions import Version
from lightmodel.tracking.records import Point, RunRecord

if TYPE_CHECKING:
    from lightmodel.search.entries import ComparisonResult


def model_record(version: Version, verdict: StoredVerdict) -> RunRecord:
    """Return the run of a model: how it was made, how good it is, and what was decided."""
    manifest = version.manifest
    return RunRecord(
        key=version.name,
        kind="model",
        created=manifest.created,
        ended=verdict.created,
        parameters=manifest.parameters,
        metrics={
            **{f"oof_{name}": value for name, value in manifest.metrics.items()},
            **{f"test_{name}": value for name, value in verdict.metrics.items()},
            **{f"rows_{name}": float(count) for name, count in manifest.rows.items()},
            "threshold": manifest.threshold,
        },
        curves=_curves(json.loads(version.read("metrics.json"))["folds"]),
        tags=_tags(version, verdict),
        version=version.folder,
    )


def _curves(folds: list[dict[str, Any]]) -> dict[str, tuple[Point, ...]]:
    """Return the losses of each fold by round, and each metric by fold."""
    curves: dict[str, list[Point]] = {}
    for fold in folds:
        for kind, points in (("valid", fold["curve"]), ("train", fold.get("train_curve", ()))):
            if points:
                name = f"fold_{fold['fold']:02d}/{kind}_loss"
                curves[name] = [(step, value) for step, value in points]
        for name, value in fold["metrics"].items():
            curves.setdefault(f"fold/{name}", []).append((fold["fold"], value))
    return {name: tuple(points) for name, points in curves.items()}


def _tags(version: Version, verdict: StoredVerdict) -> Mapping[str, str]:
    manifest = version.manifest
    inputs = manifest.inputs
    tags = {
        "version": version.name,
        "verdict": "approved" if verdict.passed else "rejected",
        "decided_by": verdict.metric,
        "reasons": " · ".join(verdict.reasons),
        "estimator": manifest.parameters.get("learner", {}).get("estimator"),
        "runtime": manifest.runtime,
        "task": (manifest.task or {}).get("kind"),
        "commit": manifest.commit,
        "fingerprint": manifest.fingerprint,
        "retry_of": inputs.get("retry_of"),
        "data.source": inputs.get("source"),
        "data.sha256": inputs.get("sha256"),
        "data.split": inputs.get("split"),
        "data.train_sha256": inputs.get("train_sha256"),
    }
    return {name: str(value) for name, value in tags.items() if value}


def comparison_records(compared: "ComparisonResult", tested: Evaluation) -> Iterator[RunRecord]:
    """Yield the run of a comparison, and one for each contender as a part of it."""
    ended = datetime.now(UTC).isoformat()
    key = f"comparison-{compared.folder.name}"
    yield RunRecord(
        key,
        "comparison",
        compared.created,
        ended,
        parameters={"split": compared.split.name, "metric": compared.metric.name},
        metrics={f"test_{name}": item.value for name, item in tested.metrics.items()},
        tags={"winner": compared.winner.result.name},
        files=tuple(sorted(compared.folder.resolve().iterdir())),
    )
    for place, one in enumerate(compared.ranking, 1):
        result = one.result
        yield RunRecord(
            f"{key}/{result.name}",
            "trial",
            compared.created,
            ended,
            parent=key,
            parameters={"estimator": result.estimator, **result.parameters},
            metrics={
                **result.pooled,
                f"{compared.metric.name}_mean": one.mean[compared.metric.name],
                f"{compared.metric.name}_spread": one.spread[compared.metric.name],
                "fit_seconds": result.fit_seconds,
                "row_microseconds": 1e6 * result.row_seconds,
                "bytes": result.size,
            },
            tags={"contender": result.name, "place": str(place)},
        )
