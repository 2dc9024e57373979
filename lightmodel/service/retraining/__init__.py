"""`POST /train` and `GET /train/<id>`: start a retraining, here or as a Jenkins job, and watch it."""

import importlib.util
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from flask import Blueprint, Response, jsonify, url_for
from werkzeug.exceptions import Forbidden, NotFound

from lightmodel.config import Config
from lightmodel.errors import NotPossible
from lightmodel.service.security import check_token

State = Literal["queued", "running", "approved", "rejected", "failed"]


@dataclass(frozen=True)
class Job:
    """One retraining.

    Attributes:
        id: of the job.
        state: "rejected" means that the quality gate failed.
        started: UTC, in ISO format.
        ended: likewise; None while it runs.
        exit_code: of the chain; None while it runs, or where it is not known.
        url: where more can be read, if anywhere.
        last_lines: of its log.
    """

    id: str
    state: State
    started: str
    ended: str | None = None
    exit_code: int | None = None
    url: str | None = None
    last_lines: tuple[str, ...] = ()


class Retraining(Protocol):
    """Starts retrainings, one at a time, and finds them again, also those of an earlier server."""

    def start(self) -> Job:
        """Start one.

        Raises:
            AlreadyRunning: one is under way.
            SourceUnavailable: the system that runs it does not answer.
        """
        ...

    def find(self, job_id: str) -> Job | None:
        """Return a job, or None where there is none of this id."""
        ...


def blueprint(config: Config) -> Blueprint:
    """Return the two routes; both need serve.train_token."""
    routes = Blueprint("retraining", __name__)

    @routes.before_request
    def check() -> None:
        if config.serve.train_token is None:
            raise Forbidden("retraining by HTTP is off; serve.train_token turns it on")
        check_token(config.serve.train_token)

    @routes.post("/train")
    def start() -> tuple[Response, int, dict[str, str]]:
        job = retraining_of(config).start()
        return jsonify(asdict(job)), 202, {"Location": url_for("retraining.watch", job_id=job.id)}

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
