"""`GET /`: a page on which people try the model, and the two files of its version that it shows."""

import hashlib
import logging
from functools import cache
from typing import Any

import orjson
from flask import Blueprint, Response, abort, request
from jinja2 import Environment, PackageLoader, StrictUndefined

from lightmodel.config import Config
from lightmodel.errors import ArtefactCorrupt, LightModelError
from lightmodel.report import formatting as words
from lightmodel.scoring.loaded_model import Served
from lightmodel.service.model_card import GAINS, PICTURE, Card, card_of
from lightmodel.service.model_manager import Holder
from lightmodel.service.row_form import facts_of, fields_of
from lightmodel.store.factory import signer_of
from lightmodel.store.signing import Signer
from lightmodel.store.verdict import read_report, read_verdict
from lightmodel.store.versions import Version

logger = logging.getLogger(__name__)

# The report has its styles and pictures inside, and no script; a browser styles a lone picture itself.
_FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_MANY_FIELDS = 12  # more of them are worth a search box


def blueprint(holder: Holder, config: Config) -> Blueprint:
    """Give the routes; every address on the page is relative, so a proxy may add a prefix."""
    routes = Blueprint("pages", __name__)
    signer = signer_of(config)

    @routes.get("/")
    def page() -> Response:
        try:
            served = holder.require()
        except LightModelError as error:
            return _without_a_model(error)
        text = _model_page(served, _card(served, signer), config.serve.max_megabytes)
        return _checked(text.encode(), "text/html")

    @routes.get("/model/report")
    def report() -> Response:
        version = _version_of(holder.require())
        verdict = read_verdict(version, signer)
        if verdict is None or verdict.report_sha256 is None:
            abort(404, "this model has no report")
        return _file(read_report(version, verdict), "text/html")

    @routes.get("/model/importance.png")
    def importance() -> Response:
        version = _version_of(holder.require())
        if PICTURE not in version.manifest.files:
            abort(404, "this model has no picture of its features' importance")
        return _file(version.read(PICTURE), "image/png")

    return routes


def _version_of(served: Served) -> Version:
    return Version(served.version, served.folder, served.manifest)


def _card(served: Served, signer: Signer) -> Card:
    """Make the card; what is damaged is left out of it, and told in the log."""
    version = _version_of(served)
    verdict = None
    gains: dict[str, float] = {}
    try:
        verdict = read_verdict(version, signer)
        gains = orjson.loads(version.read(GAINS)) if GAINS in version.manifest.files else {}
    except ArtefactCorrupt as error:
        logger.warning("the model's card is not complete: %s", error.message)
    return card_of(served, verdict, gains)


def _model_page(served: Served, card: Card, max_megabytes: int) -> str:
    fields, facts = fields_of(served.contract), facts_of(served)
    return _render(
        "model.html",
        fields=fields,
        facts=facts,
        facts_json=orjson.dumps(facts).decode(),
        first=facts["samples"][0] if facts["samples"] else {"values": [""] * len(fields), "id": ""},
        searchable=len(fields) > _MANY_FIELDS,
        card=card,
        max_megabytes=max_megabytes,
    )


def _without_a_model(error: LightModelError) -> Response:
    text = _render("no_model.html", error=error)
    headers = {"Retry-After": "5", "Cache-Control": "no-store"}
    return Response(text, 503, headers, mimetype="text/html")


def _file(content: bytes, mimetype: str) -> Response:
    response = _checked(content, mimetype)
    response.headers["Content-Security-Policy"] = _FILE_POLICY
    return response


def _checked(content: bytes, mimetype: str) -> Response:
    """Answer so that a browser keeps the content, and asks each time whether it still holds."""
    response = Response(content, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256(content).hexdigest())
    response.make_conditional(request)
    return response


def _render(template: str, **values: Any) -> str:  # noqa: ANN401 — what a template shows
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("lightmodel.service"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": words.count, "shown": words.shown}
    return environment
