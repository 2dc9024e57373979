"""`POST /train` and `GET /train/<id>`: start a retraining, and watch it."""

import importlib.util
import sys
from dataclasses import asdict
from pathlib import Path

from flask import Blueprint, Response, jsonify, url_for
from werkzeug.exceptions import Forbidden, NotFound

from lightmodel.config import Config
from lightmodel.errors import NotPossible
from lightmodel.service.retraining import Retraining
from lightmodel.service.security import check_token


def blueprint(config: Config) -> Blueprint:
    """Return the two routes; both need serve.train_token."""
    routes = Blueprint("train", __name__)

    @routes.before_request
    def check() -> None:
        if config.serve.train_token is None:
            raise Forbidden("retraining by HTTP is off; serve.train_token turns it on")
        check_token(config.serve.train_token)

    @routes.post("/train")
    def start() -> tuple[Response, int, dict[str, str]]:
        job = retraining_of(config).start()
        return jsonify(asdict(job)), 202, {"Location": url_for("train.watch", job_id=job.id)}

    @routes.get("/train/<job_id>")
    def watch(job_id: str) -> Response:
        job = retraining_of(config).find(job_id)
        if job is None:
            raise NotFound("there is no such retraining")
        return jsonify(asdict(job))

    return routes


def retraining_of(config: Config) -> Retraining:
    """Return the Jenkins job that is named, or else a process of this machine.

    Raises:
        NotPossible: this installation can only serve.
    """
    serve = config.serve
    if serve.jenkins_url:
        from lightmodel.service.retraining.jenkins import JenkinsRetraining

        token = serve.jenkins_token.get_secret_value() if serve.jenkins_token else ""
        return JenkinsRetraining(serve.jenkins_url, serve.jenkins_user, token)
    if any(importlib.util.find_spec(name) is None for name in ("pandas", "sklearn", "matplotlib")):
        raise NotPossible(
            "this installation serves and does not train",
            hint="set serve.jenkins_url to the job that trains",
        )
    from lightmodel.service.retraining.process import ProcessRetraining

    command = (sys.executable, "-m", "lightmodel", "run")
    return ProcessRetraining(Path(config.store.work) / "train", command)
