"""What the page says about the model: facts, metrics, and the most important features."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from lightmodel.contract.task import METRICS, TaskKind, label_name
from lightmodel.errors import ArtefactCorrupt
from lightmodel.report import formatting
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.store.manifest import Signer
from lightmodel.store.verdict import read_verdict
from lightmodel.store.versions import Version

logger = logging.getLogger(__name__)

PICTURE = "feature_importance_gain.png"
_IMPORTANCES = "feature_importance_gain.json"
_MAX_FEATURES = 15  # whose importance is shown


def model_card(model: LoadedModel, version: Version, signer: Signer) -> dict[str, Any]:
    """Return the template's variables about the model; a damaged file is left out, and logged."""
    manifest = model.manifest
    verdict = None
    importances: dict[str, float] = {}
    try:
        verdict = read_verdict(version, signer)
        if _IMPORTANCES in manifest.files:
            importances = orjson.loads(version.read(_IMPORTANCES))
    except ArtefactCorrupt as error:
        logger.warning("the page of %s is incomplete: %s", model.version, error.message)
    test, decisive = (verdict.metrics, verdict.metric) if verdict else ({}, "")
    return {
        "facts": _card_facts(model),
        "metrics": _sorted_metrics(manifest.metrics.keys() | test.keys(), decisive),
        "decisive": decisive,
        "out_of_fold": manifest.metrics,
        "test": test,
        "has_report": bool(verdict and verdict.report_sha256),
        "features": _feature_bars(importances),
        "has_picture": PICTURE in manifest.files,
    }


def _card_facts(model: LoadedModel) -> dict[str, str]:
    manifest = model.manifest
    learner = str(manifest.parameters.get("learner", {}).get("estimator", manifest.runtime))
    plain_name = formatting.one_line(learner.rpartition(".")[2])
    facts = {
        "Version": model.version,
        "Trained": formatting.moment(manifest.created),
        "Task": _task(model),
        "Learner": "LightGBM" if learner == "lightgbm" else plain_name,
        "Features": formatting.count(len(model.contract.features)),
        "Training rows": formatting.count(manifest.rows.get("train", 0)),
        "Test rows": formatting.count(manifest.rows.get("test", 0)),
    }
    if (positive := model.contract.task.positive) is not None:
        facts["Positive class"] = formatting.one_line(label_name(positive))
    if manifest.threshold is not None:
        facts["Threshold"] = formatting.number(manifest.threshold)
    if weight := manifest.parameters.get("train", {}).get("weight"):
        facts["Metrics weighted by"] = formatting.one_line(str(weight))
    if by_class := formatting.class_weight(manifest.parameters):
        facts["Class weights"] = formatting.one_line(by_class)
    if manifest.reason:
        facts["Reason"] = formatting.one_line(manifest.reason)
    if manifest.commit:
        facts["Commit"] = manifest.commit[:12]
    return facts


def _task(model: LoadedModel) -> str:
    task = model.contract.task
    if task.kind is TaskKind.MULTICLASS:
        return f"Classification into {formatting.count(len(task.labels))} classes"
    return "Regression" if task.kind is TaskKind.REGRESSION else "Binary classification"


def _sorted_metrics(metrics: Collection[str], decisive: str) -> list[str]:
    """Return the names of metrics: first the quality gate's, then the known ones, then others."""
    known = [decisive, *METRICS]
    places = {name: known.index(name) if name in known else len(known) for name in metrics}
    return sorted(metrics, key=lambda name: (places[name], name))


def _feature_bars(importances: Mapping[str, float]) -> list[dict[str, str]]:
    """Return name, share of the total, and bar length in per cent; the most important first."""
    total, largest = sum(importances.values()), max(importances.values(), default=0.0)
    names = sorted(importances, key=lambda name: (-importances[name], name))[:_MAX_FEATURES]
    return [
        {
            "name": name,
            "share": formatting.percent(importances[name] / total),
            "length": f"{100 * importances[name] / largest:.1f}",
        }
        for name in names
        if importances[name] > 0
    ]
