"""Run `testing`: evaluate a candidate, and write its report and verdict."""

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from lightmodel.config import Config, SplitSection
from lightmodel.config.threads import threads_of
from lightmodel.contract.columns import Contract
from lightmodel.contract.imputation import imputed_values
from lightmodel.contract.results import (
    Drift,
    Evaluation,
    FoldReport,
    Importance,
    Verdict,
    summary,
)
from lightmodel.contract.task import METRICS
from lightmodel.errors import LightModelError
from lightmodel.learners.factory import load_model
from lightmodel.notify.events import Published
from lightmodel.pipeline.context import (
    Outcome,
    Pins,
    RunContext,
    contract_of,
    format_metric,
    read_split,
)
from lightmodel.pipeline.reuse import LEARNER_MODULES
from lightmodel.store import codec
from lightmodel.store.provenance import fingerprint
from lightmodel.store.sync import send
from lightmodel.store.user_code import user_features
from lightmodel.store.verdict import StoredVerdict, read_verdict, write_verdict
from lightmodel.store.versions import Version
from lightmodel.tracking.records import model_record

if TYPE_CHECKING:  # scikit-learn and matplotlib take seconds to import, often for nothing
    from lightmodel.training.testing import EvaluationResult, ModelUnderTest

logger = logging.getLogger(__name__)

MODULES = ("lightmodel.training.testing", "lightmodel.training.gate", "lightmodel.report.page")


def run_testing(context: RunContext, pins: Pins) -> Outcome:
    """Test the pinned candidate on its own split, or reuse a verdict that still holds."""
    pinned = pins.get("train")
    if context.dry_run and pinned == "":
        return Outcome("testing", "would run", "after train", "")
    version = context.models.get(pinned) if pinned else context.models.newest()
    served = context.served(besides=version.name)
    key = _key(context.config, version, served)
    stored = read_verdict(version, context.models.signer)
    holds = stored is not None and (stored.is_withdrawn or stored.fingerprint == key)
    if stored and holds and not context.force:
        return _outcome(version, stored, "reused", "nothing changed")
    why = "forced" if stored and context.force else "settings changed" if stored else "untested"
    if context.dry_run:
        return Outcome("testing", "would run", why, version.name)
    context.record(())
    test = _test(context, version, served)
    if stored and stored.passed and not test.verdict.passed:
        # Other settings or code must not take the model that is served out of service.
        return replace(_outcome(version, test.verdict, "made", why), stays_approved=True)
    verdict = write_verdict(
        version,
        test.verdict,
        test.report,
        context.models.signer,
        fingerprint=key,
        metrics={name: item.value for name, item in test.evaluation.metrics.items()},
        promoted=stored is not None and stored.promoted,
        evaluation=summary(test.evaluation),
        notes=stored.notes if stored else (),
    )
    context.record([model_record(version, verdict, context.system_metrics())])
    send(context.config)
    outcome = _outcome(version, verdict, "made", why)
    if verdict.passed:
        context.notify(Published(version.name, outcome.metric))
    return outcome


def _key(config: Config, version: Version, served: Version | None) -> str:
    tolerated = sorted(config.serve.tolerated) if served else []
    inputs = {
        "model": version.name,
        "served": served.name if served else None,
        "tolerated": tolerated,
    }
    modules = (*MODULES, *LEARNER_MODULES[version.manifest.learner_name])
    return fingerprint(inputs, config.gate.model_dump(), modules, version.manifest.libraries)


def _outcome(version: Version, verdict: Verdict | StoredVerdict, did: str, why: str) -> Outcome:
    return Outcome(
        "testing",
        did,
        why,
        version.name,
        version.manifest.rows["test"],
        format_metric({verdict.metric: verdict.value}, METRICS[verdict.metric]),
        rejected="" if verdict.passed else verdict.reasons[0],
        report=version.folder / "report.html",
    )


def open_model(config: Config, version: Version) -> "ModelUnderTest":
    """Return a version's model, ready to be tested.

    Raises:
        ArtefactCorrupt: it does not match its manifest.
        LightModelError: it cannot be opened with the installed libraries.
    """
    from lightmodel.scoring.model_store import profile_of
    from lightmodel.training.features import Processing
    from lightmodel.training.testing import ModelUnderTest

    bundle = codec.load(version)
    model = load_model(bundle["learner"], bundle["model"], threads_of(config))
    contract = Contract.from_dict(bundle["contract"])
    steps = Processing.from_payload(bundle, contract, user_features(version))
    return ModelUnderTest(
        steps.wrap(model.predict),
        contract,
        bundle["threshold"],
        SplitSection.model_validate(version.manifest.parameters["split"]),
        version.name,
        steps.wrap(model.predict, calibrated=False) if steps.calibration else None,
        imputed=imputed_values(contract, profile_of(version)),
        texts=steps.texts,
        others_of=steps.others_of,
        weight=str(version.manifest.parameters.get("train", {}).get("weight", "")),
    )


def evaluate_on_split(
    context: RunContext,
    split: Version,
    prior: Sequence[float],
    candidate: "ModelUnderTest",
    served: Version | None,
) -> "EvaluationResult":
    """Score a model on the test rows of a split, beside a dummy and the served model; log warnings.

    `prior` is the best constant prediction: the share of each class, or the mean, of the training rows.
    A served model that cannot be opened is left out, so that it does not block its successor.

    Raises:
        ArtefactCorrupt: the file of test rows does not match its manifest.
    """
    import numpy as np

    from lightmodel.sources.sample_data import best_scores
    from lightmodel.training.testing import evaluate

    opponent = None
    if served:
        try:
            opponent = replace(
                open_model(context.config, served), tolerated=context.config.serve.tolerated
            )
        except LightModelError as error:
            logger.warning(
                "model %s cannot be opened, so it is not compared: %s", served.name, error.message
            )
    tested = evaluate(
        read_split(context.splits, split, "test", context.config.store.work),
        np.array(prior),
        candidate,
        opponent,
        context.config.gate.bootstrap,
        partial(best_scores, str(split.manifest.inputs["source"])),
    )
    for warning in tested.warnings:
        logger.warning("%s", warning)
    return tested


class _Test(NamedTuple):
    """What a test of a version has found; nothing of it is written yet."""

    verdict: Verdict
    report: bytes
    evaluation: Evaluation


def _test(context: RunContext, version: Version, served: Version | None) -> _Test:
    from lightmodel.training.gate import judge

    split = context.splits.get(version.manifest.inputs["split"])
    results = json.loads(version.read("metrics.json"))
    candidate = open_model(context.config, version)
    tested = evaluate_on_split(context, split, results["prior"], candidate, served)
    folds = _fold_reports(results)
    leaks = json.loads(version.read("checks.json")).get("leaks", ())
    verdict = judge(tested.evaluation, context.config.gate, folds, leaks)
    return _Test(
        verdict,
        _report(version, split, tested, verdict, results),
        tested.evaluation,
    )


def _report(
    version: Version,
    split: Version,
    tested: "EvaluationResult",
    verdict: Verdict,
    results: dict[str, Any],
) -> bytes:
    from lightmodel.report.page import Report, render

    manifest = version.manifest
    checks = json.loads(version.read("checks.json"))
    report = Report(
        version=version.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source=str(manifest.inputs["source"]),
        split=split.name,
        train_rows=manifest.rows["train"],
        test_rows=manifest.rows["test"],
        evaluation=tested.evaluation,
        verdict=verdict,
        folds=_fold_reports(results),
        importance=_importance(version),
        drift=tuple(Drift(**item) for item in checks["drift"]),
        warnings=(*checks["warnings"], *results.get("warnings", ()), *tested.warnings),
        parameters=manifest.parameters,
        libraries=manifest.libraries,
        commit=manifest.commit,
        target=contract_of(version).target.name,
        reason=manifest.reason,
        feedback_rows=manifest.inputs.get("feedback", {}).get("rows", 0),
    )
    return render(report)


def _fold_reports(results: dict[str, Any]) -> tuple[FoldReport, ...]:
    return tuple(
        FoldReport(**{**fold, "metrics": nan_for_null(fold["metrics"])})
        for fold in results["folds"]
    )


def _importance(version: Version) -> tuple[Importance, ...]:
    """Return gain and number of splits of each feature; NaN if the learner does not count splits."""
    gains, splits = (
        json.loads(version.read(name)) if name in version.manifest.files else {}
        for name in ("feature_importance_gain.json", "feature_importance_split.json")
    )
    return tuple(Importance(name, gain, splits.get(name, math.nan)) for name, gain in gains.items())


def nan_for_null(metrics: dict[str, float | None]) -> dict[str, float]:
    """Return metrics read from JSON, with NaN for null."""
    return {name: math.nan if value is None else value for name, value in metrics.items()}
