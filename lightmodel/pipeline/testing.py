"""Run `testing`: a candidate gets its report and its verdict."""

import json
import logging
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lightmodel.config import SplitSection
from lightmodel.contract.arrays import Scores
from lightmodel.contract.columns import Contract
from lightmodel.contract.metrics import METRICS
from lightmodel.contract.results import Drift, FoldReport, Importance, Verdict
from lightmodel.errors import ArtefactMissing, LightModelError
from lightmodel.pipeline.context import Outcome, Pins, Workshop, read_side, shown_number
from lightmodel.pipeline.dependencies import LEARNERS
from lightmodel.pipeline.run_records import model_record
from lightmodel.sources.santander import best_scores
from lightmodel.store import codec
from lightmodel.store.fingerprint import fingerprint
from lightmodel.store.own_code import own_features
from lightmodel.store.verdict import (
    StoredVerdict,
    newest_approved,
    read_verdict,
    write_verdict,
)
from lightmodel.store.versions import Version

if TYPE_CHECKING:  # imported when it runs: scikit-learn and matplotlib take seconds
    from lightmodel.training.testing import Candidate, Evaluated

logger = logging.getLogger(__name__)

MODULES = ("lightmodel.training.testing", "lightmodel.training.gate", "lightmodel.report.page")


def run_testing(workshop: Workshop, pins: Pins) -> Outcome:
    """Test the pinned candidate on its own split, or find the verdict that still holds."""
    if workshop.dry_run and pins.model == "":
        return Outcome("testing", "would run", "after train", "")
    version = workshop.models.get(pins.model) if pins.model else workshop.models.newest()
    served = _served(workshop, version)
    key = _key(workshop, version, served)
    stored = read_verdict(version, workshop.signer)
    holds = stored is not None and (stored.by == "rollback" or stored.fingerprint == key)
    if stored and holds and not workshop.force:
        return _outcome(version, stored, "reused", "nothing changed")
    why = "forced" if stored and workshop.force else "settings changed" if stored else "untested"
    if workshop.dry_run:
        return Outcome("testing", "would run", why, version.name)
    workshop.record(())
    verdict = _judge(workshop, version, served, key)
    workshop.record([model_record(version, verdict)])
    workshop.mirror()
    return _outcome(version, verdict, "made", why)


def _served(workshop: Workshop, candidate: Version) -> Version | None:
    try:
        return newest_approved(workshop.models, workshop.signer, besides={candidate.name})
    except ArtefactMissing:
        return None


def _key(workshop: Workshop, version: Version, served: Version | None) -> str:
    made_by = version.manifest.made_by
    inputs = {"model": version.name, "served": served.name if served else None}
    modules = (*MODULES, *LEARNERS[made_by])
    libraries = version.manifest.libraries
    return fingerprint(inputs, workshop.config.gate.model_dump(), modules, libraries)


def _outcome(version: Version, verdict: StoredVerdict, did: str, why: str) -> Outcome:
    metric = METRICS[verdict.metric]
    return Outcome(
        "testing",
        did,
        why,
        version.name,
        version.manifest.rows["test"],
        f"{metric.title} {shown_number(verdict.value)}",
        rejected="" if verdict.passed else verdict.reasons[0],
        report=version.folder / "report.html",
    )


def candidate_of(workshop: Workshop, version: Version) -> "Candidate":
    """Give a model as testing sees it."""
    from lightmodel.training.steps import Steps
    from lightmodel.training.testing import Candidate

    bundle = codec.load(version)
    model = workshop.load_model(bundle["learner"], bundle["model"])
    contract = Contract.from_dict(bundle["contract"])
    steps = Steps.from_payload(bundle, contract, own_features(version))
    return Candidate(
        steps.around(model.predict),
        contract,
        bundle["threshold"],
        SplitSection.model_validate(version.manifest.parameters["split"]),
        version.name,
        steps.around(model.predict, calibrated=False) if steps.calibration else None,
    )


def _opened_served(workshop: Workshop, served: Version) -> "Candidate | None":
    """Give the model that is served; one that cannot be opened here must not bar its successor."""
    try:
        return candidate_of(workshop, served)
    except LightModelError as error:
        logger.warning("%s cannot be opened, so it is not compared: %s", served.name, error.message)
        return None


def _judge(workshop: Workshop, version: Version, served: Version | None, key: str) -> StoredVerdict:
    from lightmodel.training.gate import judge
    from lightmodel.training.testing import evaluate

    split = workshop.splits.get(version.manifest.inputs["split"])
    candidate = candidate_of(workshop, version)
    metrics = json.loads(version.read("metrics.json"))
    source = str(version.manifest.inputs["source"])

    def best(table: pa.Table) -> Scores | None:
        return best_scores(source, table)

    tested = evaluate(
        read_side(workshop, split, "test", candidate.contract),
        np.array(metrics["prior"]),
        candidate,
        _opened_served(workshop, served) if served else None,
        workshop.config.gate.bootstrap,
        best,
    )
    for warning in tested.warnings:
        logger.warning("%s", warning)
    verdict = judge(tested.evaluation, workshop.config.gate)
    report = _report(version, split, tested, verdict, metrics)
    return write_verdict(
        version,
        verdict,
        report,
        workshop.signer,
        fingerprint=key,
        metrics={name: item.value for name, item in tested.evaluation.metrics.items()},
    )


def _report(
    version: Version, split: Version, tested: "Evaluated", verdict: Verdict, metrics: dict[str, Any]
) -> bytes:
    from lightmodel.report.page import Report, render

    manifest = version.manifest
    checks = json.loads(version.read("checks.json"))
    gains: dict[str, float] = {}
    if "feature_importance_gain.json" in manifest.files:
        gains = json.loads(version.read("feature_importance_gain.json"))
    report = Report(
        version=version.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source=str(manifest.inputs["source"]),
        split=split.name,
        train_rows=manifest.rows["train"],
        test_rows=manifest.rows["test"],
        evaluation=tested.evaluation,
        verdict=verdict,
        folds=tuple(_fold_report(fold) for fold in metrics["folds"]),
        importance=tuple(Importance(name, gain, float("nan")) for name, gain in gains.items()),
        drift=tuple(Drift(**item) for item in checks["drift"]),
        warnings=(*checks["warnings"], *tested.warnings),
        parameters=manifest.parameters,
        libraries=manifest.libraries,
        commit=manifest.commit,
        target=Contract.from_dict(manifest.contract or {}).target.name,
    )
    return render(report)


def _fold_report(content: dict[str, Any]) -> FoldReport:
    """Read a fold back from JSON, where an undefined metric is null."""
    defined = {
        name: math.nan if value is None else value for name, value in content["metrics"].items()
    }
    return FoldReport(**{**content, "metrics": defined})
