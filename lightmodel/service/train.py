"""`POST /train` and `GET /train/<id>`: start a retraining, and watch it."""

import hmac
from dataclasses import asdict

from flask import Blueprint, Response, jsonify, url_for
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, NotFound, Unauthorized

from lightmodel.config import Config
from lightmodel.service.keys import digest, given_token
from lightmodel.service.retraining.factory import retraining_of


def blueprint(config: Config) -> Blueprint:
    """Give the two routes; both need serve.train_token."""
    routes = Blueprint("train", __name__)

    @routes.post("/train")
    def start() -> tuple[Response, int, dict[str, str]]:
        _check(config)
        job = retraining_of(config).start()
        return jsonify(asdict(job)), 202, {"Location": url_for("train.watch", job=job.id)}

    @routes.get("/train/<job>")
    def watch(job: str) -> Response:
        _check(config)
        found = retraining_of(config).find(job)
        if found is None:
            raise NotFound("there is no such retraining")
        return jsonify(asdict(found))

    return routes


def _check(config: Config) -> None:
    token = config.serve.train_token
    if token is None:
        raise Forbidden("retraining by HTTP is off; serve.train_token turns it on")
    if not hmac.compare_digest(digest(token.get_secret_value()), digest(given_token())):
        raise Unauthorized(
            "the token is needed: X-Train-Token, or Authorization: Bearer",
            www_authenticate=WWWAuthenticate("bearer"),
        )
