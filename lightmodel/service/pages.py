"""`GET /`: a page on which people try the model and see how good it is, and two files of its version."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Blueprint, Response, abort, render_template, request

from lightmodel.config import Config
from lightmodel.contract.task import METRICS, TaskKind
from lightmodel.errors import ArtefactCorrupt, LightModelError
from lightmodel.report import formatting
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service.model_manager import ModelManager
from lightmodel.service.row_form import facts_of, fields_of
from lightmodel.store.factory import signer_of
from lightmodel.store.manifest import Signer
from lightmodel.store.verdict import StoredVerdict, read_report, read_verdict
from lightmodel.store.versions import Version

logger = logging.getLogger(__name__)

# The report has its styles and pictures inside, and no script; a browser styles a lone picture itself.
_FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_IMPORTANCES, _PICTURE = "feature_importance_gain.json", "feature_importance_gain.png"
_MANY_FIELDS = 12  # more of them are worth a search box
_MOST_FEATURES = 15  # whose importance is shown


def blueprint(models: ModelManager, config: Config) -> Blueprint:
    """Return the routes; every address on the page is relative, so a proxy may add a prefix."""
    routes = Blueprint("pages", __name__)
    routes.add_app_template_filter(formatting.count, "count")
    routes.add_app_template_filter(formatting.shown, "shown")
    signer = signer_of(config)

    @routes.get("/")
    def page() -> Response:
        try:
            model = models.require()
        except LightModelError as error:
            text = render_template("no_model.html", error=error)
            headers = {"Retry-After": "5", "Cache-Control": "no-store"}
            return Response(text, 503, headers, mimetype="text/html")
        text = _model_page(model, _card(model, signer), config.serve.max_megabytes)
        return _conditional(text.encode(), "text/html")

    @routes.get("/model/report")
    def report() -> Response:
        version = _version_of(models.require())
        verdict = read_verdict(version, signer)
        if verdict is None or verdict.report_sha256 is None:
            abort(404, "this model has no report")
        return _file(read_report(version, verdict), "text/html")

    @routes.get("/model/importance.png")
    def importance() -> Response:
        version = _version_of(models.require())
        if _PICTURE not in version.manifest.files:
            abort(404, "this model has no picture of its features' importance")
        return _file(version.read(_PICTURE), "image/png")

    return routes


def _version_of(model: LoadedModel) -> Version:
    return Version(model.version, model.folder, model.manifest)


def _model_page(model: LoadedModel, card: dict[str, Any], max_megabytes: int) -> str:
    fields, facts = fields_of(model.contract), facts_of(model)
    return render_template(
        "model.html",
        fields=fields,
        facts=facts,
        facts_json=orjson.dumps(facts).decode(),
        first=facts["samples"][0] if facts["samples"] else {"values": [""] * len(fields), "id": ""},
        searchable=len(fields) > _MANY_FIELDS,
        card=card,
        max_megabytes=max_megabytes,
    )


def _file(content: bytes, mimetype: str) -> Response:
    response = _conditional(content, mimetype)
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    return response


def _conditional(content: bytes, mimetype: str) -> Response:
    """Return an answer that a browser keeps, and asks each time whether it still holds."""
    response = Response(content, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256(content).hexdigest())
    response.make_conditional(request)
    return response


def _card(model: LoadedModel, signer: Signer) -> dict[str, Any]:
    """Return what the template says of the model; what is damaged is left out, and logged."""
    version, manifest = _version_of(model), model.manifest
    verdict = None
    importances: dict[str, float] = {}
    try:
        verdict = read_verdict(version, signer)
        if _IMPORTANCES in manifest.files:
            importances = orjson.loads(version.read(_IMPORTANCES))
    except ArtefactCorrupt as error:
        logger.warning("the model's card is not complete: %s", error.message)
    metrics = _metric_rows(manifest.metrics, verdict)
    return {
        "task": _task(model),
        "trained": formatting.moment(manifest.created),
        "facts": _facts(model),
        "metrics": metrics,
        "headline": f"{metrics[0]['title']} {metrics[0]['test']}" if verdict and metrics else "",
        "has_report": bool(verdict and verdict.report_sha256),
        "features": _feature_bars(importances),
        "has_picture": _PICTURE in manifest.files,
    }


def _task(model: LoadedModel) -> str:
    task = model.contract.task
    if task.kind is TaskKind.MULTICLASS:
        return f"Classification into {formatting.count(len(task.labels))} classes"
    return "Regression" if task.kind is TaskKind.REGRESSION else "Binary classification"


def _facts(model: LoadedModel) -> dict[str, str]:
    manifest = model.manifest
    learner = str(manifest.parameters.get("learner", {}).get("estimator", manifest.runtime))
    plain_name = formatting.shown(learner.rpartition(".")[2])
    facts = {
        "Version": model.version,
        "Trained": formatting.moment(manifest.created),
        "Task": _task(model),
        "Learner": "LightGBM" if learner == "lightgbm" else plain_name,
        "Features": formatting.count(len(model.contract.features)),
        "Training rows": formatting.count(manifest.rows.get("train", 0)),
        "Test rows": formatting.count(manifest.rows.get("test", 0)),
    }
    if manifest.threshold is not None:
        facts["Threshold"] = formatting.number(manifest.threshold)
    if manifest.commit:
        facts["Commit"] = manifest.commit[:12]
    return facts


def _metric_rows(
    out_of_fold: Mapping[str, float | None], verdict: StoredVerdict | None
) -> list[dict[str, Any]]:
    """Return a row of the table for each metric, the one that the gate decided by first."""
    test, decisive = (verdict.metrics, verdict.metric) if verdict else ({}, "")
    known = [decisive, *METRICS]
    names = sorted(out_of_fold.keys() | test.keys())
    names.sort(key=lambda name: known.index(name) if name in known else len(known))
    return [
        {
            "title": formatting.metric_title(name),
            "out_of_fold": formatting.number(out_of_fold.get(name)),
            "test": formatting.number(test.get(name)),
            "lower_is_better": formatting.lower_is_better(name),
            "decides": name == decisive,
        }
        for name in names
    ]


def _feature_bars(importances: Mapping[str, float]) -> list[dict[str, str]]:
    """Return name, share of all importance and length of the bar in per cent, largest first."""
    total, largest = sum(importances.values()), max(importances.values(), default=0.0)
    names = sorted(importances, key=lambda name: (-importances[name], name))[:_MOST_FEATURES]
    return [
        {
            "name": name,
            "share": formatting.percent(importances[name] / total),
            "length": f"{100 * importances[name] / largest:.1f}",
        }
        for name in names
        if importances[name] > 0
    ]
