"""`POST /train` and `GET /train/<id>`: start and watch a training, in a process or in Jenkins."""

from dataclasses import asdict

from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from lightmodel.config import Config
from lightmodel.service.security import check_token
from lightmodel.watch.factory import training_jobs
from lightmodel.watch.jobs import reason_text

_BY_HTTP = "POST /train"


def blueprint(config: Config) -> Blueprint:
    """Return the two routes; both need serve.train_token."""
    routes = Blueprint("retraining", __name__)

    @routes.before_request
    def check() -> None:
        if config.serve.train_token is None:
            raise Forbidden("retraining over HTTP is off; set serve.train_token to turn it on")
        check_token(config.serve.train_token)

    @routes.post("/train")
    def start() -> tuple[Response, int, dict[str, str]]:
        job = training_jobs(config).start(_reason())
        return jsonify(asdict(job)), 202, {"Location": url_for("retraining.watch", job_id=job.id)}

    @routes.get("/train/<job_id>")
    def watch(job_id: str) -> Response:
        job = training_jobs(config).find(job_id)
        if job is None:
            raise NotFound("there is no such retraining")
        return jsonify(asdict(job))

    return routes


def _reason() -> str:
    """Return why a training is asked for: the option `reason`, after the route that it came by."""
    unknown = sorted(set(request.args) - {"reason"})
    if unknown:
        raise BadRequest(f"there is no option {unknown[0]!r}; the only one is `reason`")
    given = request.args.get("reason", "")
    return reason_text(f"{_BY_HTTP}: {given}" if given else _BY_HTTP)
