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
from lightmodel.config.threads import cores, workers_of
from lightmodel.predictions.factory import open_log, open_shadow_log
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.scoring.second_model import SecondModel
from lightmodel.service import (
    describe,
    observability,
    pages,
    predict,
    request_body,
    retraining,
    security,
    versions,
)
from lightmodel.service.answer_log import AnswerLog
from lightmodel.service.canary import Canaries
from lightmodel.service.json_requests import JsonRequests
from lightmodel.service.load_meter import LoadMeter
from lightmodel.service.shadow import Shadow
from lightmodel.service.state_gauges import StateCollector
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
    errors.ChangeRefused: 409,
    errors.ReadOnlyStore: 409,
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
    metrics = observability.Metrics()
    log = _answer_log(config, metrics)
    canaries = Canaries(config.serve.canary, metrics.count_canary)
    models = _model_manager(config, log, canaries, metrics)
    metrics.read_at_scrape(StateCollector(config, models))
    metrics.read_at_scrape(WatchCollector(config))
    app.extensions["model_manager"] = models
    if proxies := config.serve.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]  # Flask's own way
    observability.init_app(app, metrics)
    callers = security.init_app(app, config.serve)
    security.allow_origins(app, config.serve.cors_origins)
    handle_errors(app)
    app.extensions["serve"] = config.serve
    app.extensions["prediction_log"] = log
    app.extensions["json_requests"] = JsonRequests(config, models, log, canaries, metrics, callers)
    app.register_blueprint(describe.blueprint(models))
    app.register_blueprint(predict.blueprint(models, config, log, canaries, metrics))
    app.register_blueprint(pages.blueprint(models, config))
    app.register_blueprint(versions.blueprint(models, config))
    app.register_blueprint(retraining.blueprint(config))
    return app


def _answer_log(config: Config, metrics: observability.Metrics) -> AnswerLog:
    """Return the log of this process and, if a challenger is wanted, what scores by it."""
    log = open_log(config, metrics.count_log)
    if log is None or not (config.serve.shadow or config.serve.canary):
        if config.serve.shadow:
            logger.warning("serve.shadow needs the prediction log (log.sink), which is off")
        return AnswerLog(config, log)

    def count(what: str, rows: int) -> None:
        if what == "dropped":
            metrics.count_log(what, rows)

    failures = open_shadow_log(config, count)
    shadow = None
    if config.serve.shadow:
        shadow = Shadow(failures, metrics.count_shadow, LoadMeter(cores() / workers_of(config)))
    return AnswerLog(config, log, failures, shadow)


def _model_manager(
    config: Config, log: AnswerLog, canaries: Canaries, metrics: observability.Metrics
) -> ModelManager:
    store, show = ModelStoreView(config), metrics.show_second
    seconds = []
    if config.serve.canary:
        seconds.append(SecondModel("canary", store.canary, store.open, canaries.use, show))
    if log.shadow:
        seconds.append(
            SecondModel("challenger", store.challenger, store.open, log.shadow.use, show)
        )
    interval_s = config.serve.reload_interval_s
    return ModelManager(store, interval_s, metrics.change_model, seconds=seconds)


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
