"""The HTTP service; gunicorn calls `create_app`.

Errors are problem details (RFC 9457) without tracebacks, folders of this machine or cell values.
"""

import logging
import re
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, current_app, g, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.middleware.proxy_fix import ProxyFix

from lightmodel import errors
from lightmodel.config import Config, load
from lightmodel.predictions.factory import open_log, spooled_bytes
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.service import (
    describe,
    observability,
    pages,
    predict,
    request_body,
    retraining,
    security,
)
from lightmodel.service.json_requests import JsonRequests
from lightmodel.tables.column_rules import request_hint
from lightmodel.watch.gauges import WatchCollector

logger = logging.getLogger(__name__)

_LOST_LINE_ENDS = (
    "curl -d removes line ends: send a file by --data-binary @rows.csv, and fields as JSON"
)
_FOLDERS = re.compile(r"(?<![\w/:.])/(?:[^\s/:;,'\"]+/)+")  # of absolute paths

STATUS: dict[type[errors.LightModelError], int] = {
    errors.ConfigError: 500,
    errors.DataError: 422,
    errors.ContractViolation: 422,
    errors.DriftExceeded: 422,
    errors.TooLarge: 413,
    errors.SourceUnavailable: 503,
    errors.QuotaExceeded: 503,
    errors.ArtefactMissing: 503,
    errors.ArtefactCorrupt: 503,
    errors.QualityGateFailed: 500,
    errors.NotReproduced: 500,
    errors.NoVerdict: 503,
    errors.AlreadyRunning: 409,
    errors.DeployFailed: 500,
    errors.NotPossible: 501,
    errors.StorageFull: 507,
}


def create_app(config: Config | None = None) -> Flask:
    """Return the service for the newest approved model; without a model it answers 503."""
    config = config or load().config
    app = Flask(__name__)
    app.jinja_options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    metrics = observability.Metrics(lambda: spooled_bytes(config), (WatchCollector(config),))
    models = ModelManager(
        ModelStoreView(config), config.serve.reload_interval_s, metrics.show_model
    )
    log = open_log(config, metrics.count_log)
    app.extensions["model_manager"] = models
    if proxies := config.serve.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]  # Flask's own way
    observability.init_app(app, metrics)
    callers = security.init_app(app, config.serve)
    security.allow_origins(app, config.serve.cors_origins)
    handle_errors(app)
    app.extensions["serve"] = config.serve
    app.extensions["prediction_log"] = log
    app.extensions["json_requests"] = JsonRequests(config, models, log, metrics, callers)
    app.register_blueprint(describe.blueprint(models))
    app.register_blueprint(predict.blueprint(models, config, log, metrics))
    app.register_blueprint(pages.blueprint(models, config))
    app.register_blueprint(retraining.blueprint(config))
    return app


def handle_errors(app: Flask) -> None:
    """Register handlers that answer every error of `app` with problem details."""
    app.register_error_handler(errors.LightModelError, _known_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)


def _known_error(error: errors.LightModelError) -> Response:
    fields: dict[str, Any] = {"hint": error.hint} if error.hint else {}
    if isinstance(error, errors.ContractViolation):
        fields["violations"] = [asdict(violation) for violation in error.violations]
        if request.path in {"/predict", "/invocations"}:
            hints = ("GET /schema lists the expected columns", request_hint(error.violations))
            fields.setdefault("hint", "; ".join(filter(None, hints)))
    body: request_body.RequestBody | None = g.get("request_body")
    if isinstance(error, errors.DataError) and body and body.lost_line_ends:
        fields["hint"] = _LOST_LINE_ENDS
    g.error = type(error).__name__
    return _problem(STATUS.get(type(error), 500), error.message, fields)


def _http_error(error: HTTPException) -> Response:
    g.error = type(error).__name__
    detail, fields = error.description or "", {}
    if error.description == NotFound.description:
        detail, fields = "there is nothing at this address", {"hint": f"there is {_routes()}"}
    elif isinstance(error, MethodNotAllowed) and error.valid_methods:
        detail = f"this address does not take {request.method}"
        fields = {"hint": f"it takes {', '.join(sorted(error.valid_methods))}"}
    response = _problem(error.code or 500, detail, fields)
    if error.code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        response.headers["Accept-Encoding"] = "gzip"  # RFC 7694
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After", "WWW-Authenticate", "Location"}:
            response.headers.add(name, value)
    return response


def _routes() -> str:
    """Return all routes with their methods, such as "GET /, POST /predict"."""
    named = {
        (rule.rule, method)
        for rule in current_app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
    return ", ".join(f"{method} {path}" for path, method in sorted(named))


def _mlflow_error(status: int, message: str, fields: dict[str, Any]) -> Response:
    """Return an error as MLflow's scoring server does, which has 400 for rows that cannot be scored."""
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    code = "INVALID_PARAMETER_VALUE" if "violations" in fields else HTTPStatus(status).name
    body = {"error_code": code, "message": message, **fields}
    return Response(orjson.dumps(body), status, mimetype="application/json")


def _unexpected_error(error: Exception) -> Response:
    g.error = "bug"
    logger.error("unexpected error", exc_info=error)
    return _problem(500, "internal error of the service; its log has the details", {})


def _problem(status: int, detail: str, fields: dict[str, Any]) -> Response:
    detail = _FOLDERS.sub("…/", detail)
    if request.path == "/invocations":
        return _mlflow_error(status, detail, fields)
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **fields}
    body["request_id"] = g.get("request_id", "")
    return Response(orjson.dumps(body), status, mimetype="application/problem+json")
