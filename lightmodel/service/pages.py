"""`GET /`: a page to try the model on and to see its quality; also two files of its version."""

from typing import Any

import orjson
from flask import Blueprint, Response, abort, render_template

from lightmodel.config import Config
from lightmodel.errors import LightModelError
from lightmodel.report import formatting
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.predictor import LoadedModel
from lightmodel.service.form import facts_of, fields_of
from lightmodel.service.model_card import PICTURE, model_card
from lightmodel.service.responses import cacheable, file_response, report_response
from lightmodel.store.versions import Version, signer_of

_MANY_FIELDS = 12  # more of them get a search box


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
        card = model_card(model, _version_of(model), signer)
        text = _model_page(model, card, config.serve.max_body_mb)
        return cacheable(text.encode(), "text/html")

    @routes.get("/model/report")
    def report() -> Response:
        return report_response(_version_of(models.require()), signer)

    @routes.get("/model/importance.png")
    def importance() -> Response:
        version = _version_of(models.require())
        if PICTURE not in version.manifest.files:
            abort(404, "this model has no image of its feature importances")
        return file_response(version.read(PICTURE), "image/png")

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
