"""What tracking is told: of a model once testing has judged it, and of a comparison."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lightmodel.contract.results import Evaluation, Point
from lightmodel.store.verdict import StoredVerdict
from lightmodel.store.versions import Version
from lightmodel.tracking.records import RunRecord

if TYPE_CHECKING:
    from lightmodel.pipeline.compare import Compared


def model_record(version: Version, verdict: StoredVerdict) -> RunRecord:
    """Give the record of a model: how it was made, how good it is, and what was decided."""
    manifest = version.manifest
    findings = json.loads(version.read("metrics.json"))
    measured: dict[str, float | None] = {
        **{f"oof_{name}": value for name, value in manifest.metrics.items()},
        **{f"test_{name}": value for name, value in verdict.metrics.items()},
        **{f"rows_{name}": float(count) for name, count in manifest.rows.items()},
        "threshold": manifest.threshold,
    }
    return RunRecord(
        key=version.name,
        kind="model",
        created=manifest.created,
        ended=verdict.created,
        parameters=manifest.parameters,
        metrics={name: value for name, value in measured.items() if value is not None},
        curves=_curves(findings["folds"]),
        tags=_tags(version, verdict),
        version=version.folder,
    )


def _curves(folds: list[dict[str, Any]]) -> dict[str, tuple[Point, ...]]:
    """Give the losses of each fold by round, and each metric by fold."""
    curves: dict[str, list[Point]] = {}
    for fold in folds:
        for kind, points in (("valid", fold["curve"]), ("train", fold.get("train_curve", ()))):
            if points:
                name = f"fold_{fold['fold']:02d}/{kind}_loss"
                curves[name] = [(at, value) for at, value in points if value is not None]
        for name, value in fold["metrics"].items():
            if value is not None:
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


def comparison_records(compared: "Compared", tested: Evaluation | None) -> tuple[RunRecord, ...]:
    """Tell of a comparison, and of each contender as a part of it."""
    ended = datetime.now(UTC).isoformat()
    key = f"comparison-{compared.folder.name}"
    found = {} if tested is None else tested.metrics
    whole = RunRecord(
        key,
        "comparison",
        compared.created,
        ended,
        parameters={"split": compared.split.name, "metric": compared.metric.name},
        metrics=_known({f"test_{name}": item.value for name, item in found.items()}),
        tags={"winner": compared.winner.showing.name},
        files=tuple(sorted(compared.folder.resolve().iterdir())),
    )
    return (whole, *_contender_records(compared, key, ended))


def _contender_records(compared: "Compared", key: str, ended: str) -> Iterator[RunRecord]:
    for place, one in enumerate(compared.standings, 1):
        showing = one.showing
        yield RunRecord(
            f"{key}/{showing.name}",
            "trial",
            compared.created,
            ended,
            parent=key,
            parameters={"estimator": showing.estimator, **showing.parameters},
            metrics=_known(
                {
                    **showing.pooled,
                    f"{compared.metric.name}_mean": one.mean[compared.metric.name],
                    f"{compared.metric.name}_spread": one.spread[compared.metric.name],
                    "fit_seconds": showing.fit_seconds,
                    "row_microseconds": 1e6 * showing.row_seconds,
                    "bytes": showing.size,
                }
            ),
            tags={"contender": showing.name, "place": str(place)},
        )


def _known(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
