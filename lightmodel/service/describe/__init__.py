"""Routes that describe the service to programs: probes, the model, its schema, OpenAPI and Postman."""

from dataclasses import replace
from importlib import resources

import orjson
from flask import Blueprint, Response, current_app, g, jsonify, render_template, request
from werkzeug.exceptions import ServiceUnavailable

from lightmodel import __version__
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.service.describe.openapi import openapi_of
from lightmodel.service.describe.postman import postman_of
from lightmodel.service.describe.schema import csv_of, sample_records, schema_of
from lightmodel.service.model_versions import published_manifest

_ASSETS = "vendor/swagger-ui-4.15.5"
_SWAGGER = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
# Swagger UI needs inline styles and data: images; scripts come from this service only.
_DOCS_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


def blueprint(models: ModelManager) -> Blueprint:
    """Return the routes that describe the service."""
    routes = Blueprint("describe", __name__)
    _add_probes(routes, models)
    _add_model(routes, models)
    _add_docs(routes)
    return routes


def _add_probes(routes: Blueprint, models: ModelManager) -> None:
    @routes.get("/health")
    def health() -> Response:
        return jsonify(status="alive")

    @routes.get("/ready")
    def ready() -> Response:
        if current_app.config.get("STOPPING"):
            raise ServiceUnavailable("the service is stopping")
        version = models.require().version
        return jsonify({"status": "ready", **({} if g.get("anonymous") else {"version": version})})

    @routes.get("/ping")
    def ping() -> Response:
        models.require()
        return Response("\n", mimetype="text/plain")

    @routes.get("/version")
    def version() -> Response:
        return Response(__version__, mimetype="text/plain")


def _add_model(routes: Blueprint, models: ModelManager) -> None:
    @routes.get("/model")
    def model() -> Response:
        served = models.require()
        shown = published_manifest(served.manifest, served.published, served.contract)
        return _json(replace(shown, samples=served.samples).to_json())

    @routes.get("/schema")
    def schema() -> Response:
        return _json(orjson.dumps(schema_of(models.require())))

    @routes.get("/sample.csv")
    def sample() -> Response:
        model = models.require()
        response = Response(csv_of(sample_records(model), model.contract), mimetype="text/csv")
        response.headers["Content-Disposition"] = 'attachment; filename="sample.csv"'
        return response

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return _json(orjson.dumps(openapi_of(models.require())))

    @routes.get("/postman.json")
    def postman() -> Response:
        return _json(orjson.dumps(postman_of(models.require(), request.url_root.rstrip("/"))))


def _add_docs(routes: Blueprint) -> None:
    @routes.get("/docs")
    def docs() -> Response:
        response = Response(render_template("docs.html"))
        response.headers["Content-Security-Policy"] = _DOCS_POLICY
        return response

    @routes.get("/docs/<name>")
    def asset(name: str) -> Response:
        if name not in _SWAGGER:
            return Response(status=404)
        file = resources.files("swagger_ui_bundle").joinpath(_ASSETS, name)
        response = Response(file.read_bytes(), content_type=_SWAGGER[name])
        response.headers["Cache-Control"] = "max-age=86400"
        return response


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
