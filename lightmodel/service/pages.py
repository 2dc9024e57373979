"""`GET /`: a page to try the model on and to see its quality; also two files of its version.

The form for one row is built from the contract: one control per feature.
"""

import hashlib
import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from flask import Blueprint, Response, abort, render_template, request

from lightmodel.config import Config
from lightmodel.contract.columns import Column, ColumnType
from lightmodel.contract.describe import text_of
from lightmodel.contract.publication import Published
from lightmodel.contract.task import METRICS, TaskKind, label_name
from lightmodel.errors import ArtefactCorrupt, LightModelError
from lightmodel.report import formatting
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service.model_manager import ModelManager
from lightmodel.store.manifest import Signer
from lightmodel.store.verdict import read_report, read_verdict
from lightmodel.store.versions import Version, signer_of

logger = logging.getLogger(__name__)

# The report embeds its styles and images and has no script; browsers add styles to a lone image.
_FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_IMPORTANCES, _PICTURE = "feature_importance_gain.json", "feature_importance_gain.png"
_MANY_FIELDS = 12  # more of them get a search box
_MAX_FEATURES = 15  # whose importance is shown
_MAX_OPTIONS = 50  # of a menu; more categories get an input with suggestions
_MAX_CONTRIBUTIONS = 5

Kind = Literal["number", "choice", "suggestions", "time"]
_INPUTS = {
    ColumnType.DATE: "date",
    ColumnType.DATETIME: "datetime-local",
    ColumnType.TIME: "time",
    ColumnType.DURATION: "text",
}


def blueprint(models: ModelManager, config: Config) -> Blueprint:
    """Return the routes; all links of the page are relative, so a proxy may add a prefix."""
    routes = Blueprint("pages", __name__)
    for name in ("count", "lower_is_better", "metric_title", "number", "one_line"):
        routes.add_app_template_filter(getattr(formatting, name), name)
    signer = signer_of(config)

    @routes.get("/")
    def page() -> Response:
        try:
            model = models.require()
        except LightModelError as error:
            text = render_template("no_model.html", error=error)
            headers = {"Retry-After": "5", "Cache-Control": "no-store"}
            return Response(text, 503, headers, mimetype="text/html")
        text = _model_page(model, _card(model, signer), config.serve.max_body_mb)
        return _cacheable(text.encode(), "text/html")

    @routes.get("/model/report")
    def report() -> Response:
        version = _version_of(models.require())
        verdict = read_verdict(version, signer)
        if verdict is None or verdict.report_sha256 is None:
            abort(404, "this model has no report")
        return _file_response(read_report(version, verdict), "text/html")

    @routes.get("/model/importance.png")
    def importance() -> Response:
        version = _version_of(models.require())
        if _PICTURE not in version.manifest.files:
            abort(404, "this model has no image of its feature importances")
        return _file_response(version.read(_PICTURE), "image/png")

    return routes


def _version_of(model: LoadedModel) -> Version:
    return Version(model.version, model.folder, model.manifest)


def _model_page(model: LoadedModel, card: dict[str, Any], max_body_mb: int) -> str:
    fields, facts = fields_of(model), facts_of(model)
    return render_template(
        "model.html",
        fields=fields,
        facts=facts,
        facts_json=orjson.dumps(facts).decode(),
        first=facts["samples"][0] if facts["samples"] else {"values": [""] * len(fields), "id": ""},
        searchable=len(fields) > _MANY_FIELDS,
        card=card,
        max_body_mb=max_body_mb,
    )


def _file_response(content: bytes, mimetype: str) -> Response:
    response = _cacheable(content, mimetype)
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    return response


def _cacheable(content: bytes, mimetype: str) -> Response:
    """Return a response that browsers cache and revalidate by its ETag."""
    response = Response(content, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256(content).hexdigest())
    response.make_conditional(request)
    return response


def _card(model: LoadedModel, signer: Signer) -> dict[str, Any]:
    """Return the template's variables about the model; a damaged file is left out, and logged."""
    version, manifest = _version_of(model), model.manifest
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
        "has_picture": _PICTURE in manifest.files,
    }


def _task(model: LoadedModel) -> str:
    task = model.contract.task
    if task.kind is TaskKind.MULTICLASS:
        return f"Classification into {formatting.count(len(task.labels))} classes"
    return "Regression" if task.kind is TaskKind.REGRESSION else "Binary classification"


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
    if manifest.commit:
        facts["Commit"] = manifest.commit[:12]
    return facts


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


@dataclass(frozen=True)
class Field:
    """One control of the form.

    Attributes:
        name: the column's name: any text that a CSV's header can hold.
        required: whether it must not be left empty.
        step: the step of a number: "1" or "any".
        lowest: the smallest allowed number; "" without a limit.
        highest: the largest allowed number; "" without a limit.
        choices: the values of a category or a boolean, as requests have them.
        hint: the range or the number of values in the training data, in words.
        input: HTML's type of the input of a date or a time.
    """

    name: str
    kind: Kind
    required: bool
    hint: str
    step: str = "any"
    lowest: str = ""
    highest: str = ""
    choices: tuple[str, ...] = ()
    input: str = "text"


def fields_of(model: LoadedModel) -> tuple[Field, ...]:
    """Return one control per feature, in training order."""
    shown, tolerated = model.published, model.rules.tolerated
    return tuple(field_of(column, shown, tolerated) for column in model.contract.features)


def field_of(column: Column, published: Published, tolerated: Collection[str]) -> Field:
    """Return the control of a feature; a tolerated rule limits nothing."""
    required = not column.missing and "missing" not in tolerated
    withheld = published.withheld(column)
    hint = _hint(column, withheld)
    if column.type.is_numeric:
        limits = (math.nan, math.nan) if "range" in tolerated else column.allowed
        lowest, highest = (_limit(value) for value in limits)
        step = "1" if column.type is ColumnType.INTEGER else "any"
        return Field(column.name, "number", required, hint, step, lowest, highest)
    if column.type.is_temporal:
        return Field(column.name, "time", required, hint, input=_INPUTS[column.type])
    if column.type is ColumnType.TEXT:
        return Field(column.name, "suggestions", required, hint)
    is_boolean = column.type is ColumnType.BOOLEAN
    choices = ("true", "false") if is_boolean else published.categories(column)
    kind: Kind = "suggestions" if withheld or len(choices) > _MAX_OPTIONS else "choice"
    return Field(column.name, kind, required, hint, choices=choices)


def _limit(value: float) -> str:
    return f"{value:.17g}" if math.isfinite(value) else ""


def _hint(column: Column, withheld: int) -> str:
    parts = []
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"seen {_shown(column.minimum, column)} to {_shown(column.maximum, column)}")
    if withheld or len(column.categories) > _MAX_OPTIONS:
        parts.append(f"{len(column.categories):,} values seen")
    if withheld:
        parts.append(f"{withheld:,} of them not shown: they are rare, or may name persons")
    if column.missing:
        parts.append("may be empty")
    return ", ".join(parts)


def _shown(value: float, column: Column) -> str:
    """Return a value for display, a number with six significant digits."""
    text = text_of(value, column)
    return text if column.type.is_date else text.replace("-", "\N{MINUS SIGN}")


def facts_of(model: LoadedModel) -> dict[str, Any]:
    """Return the facts about the model that the page's scripts need, in JSON's types."""
    contract = model.contract
    task, target, id_column = contract.task, contract.target, contract.id
    names = contract.feature_names
    count = len(model.predictor.feature_names)
    explain = min(_MAX_CONTRIBUTIONS, count) if model.predictor.contribute else 0
    return {
        "version": model.version,
        "task": str(task.kind),
        "labels": [label_name(label) for label in task.labels],
        "threshold": _threshold(model),
        "target": target.name,
        "range": None if target.minimum is None else [target.minimum, target.maximum],
        "id": id_column.name if id_column else None,
        "explain": explain,
        "names": names,
        "numeric": [column.type.is_numeric for column in contract.features],
        "samples": _samples(model),
    }


def _threshold(model: LoadedModel) -> float | None:
    if model.contract.task.positive is None:
        return None
    return 0.5 if model.predictor.threshold is None else model.predictor.threshold


def _samples(model: LoadedModel) -> list[dict[str, Any]]:
    """Return the sample rows for the form: the `values` of the features in order, and the `id`."""
    id_column = model.contract.id
    return [
        {
            "values": [_text(sample["values"], name) for name in model.contract.feature_names],
            "id": _text(sample["values"], id_column.name) if id_column else "",
        }
        for sample in model.samples
    ]


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else label_name(value)
