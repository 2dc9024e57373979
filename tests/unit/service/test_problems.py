"""Errors as problem details: the message and the hint, but no internals."""

from typing import Any

import pytest
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, TooManyRequests
from werkzeug.test import TestResponse

from lightmodel import errors
from lightmodel.service import STATUS, handle_errors

KINDS = [(kind, status) for kind, status in STATUS.items() if kind is not errors.ContractViolation]


def answer_to(error: Exception) -> TestResponse:
    """Return the response of a route that raises this error."""
    app = Flask(__name__)
    handle_errors(app)

    @app.get("/")
    def fails() -> Response:
        raise error

    return app.test_client().get("/")


def problem_of(error: Exception) -> dict[str, Any]:
    answer = answer_to(error)
    assert answer.mimetype == "application/problem+json"
    problem: dict[str, Any] = answer.get_json(force=True)
    assert problem["status"] == answer.status_code
    return problem


@pytest.mark.parametrize(("kind", "status"), KINDS)
def test_every_error_is_answered_with_its_status_message_and_hint(
    kind: type[errors.LightModelError], status: int
) -> None:
    problem = problem_of(kind("what happened", hint="what next"))
    assert problem["status"] == status
    assert (problem["detail"], problem["hint"]) == ("what happened", "what next")


def test_violations_have_column_rule_and_rows() -> None:
    violation = errors.Violation("age", "type", "is no number", (2, 3), 2)
    problem = problem_of(errors.ContractViolation([violation], what="the request"))
    assert problem["status"] == 422
    assert problem["violations"] == [
        {"column": "age", "rule": "type", "detail": "is no number", "rows": [2, 3], "total": 2}
    ]
    assert "hint" not in problem


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (TooManyRequests("slower", retry_after=3), "Retry-After", "3"),
        (MethodNotAllowed(["GET"]), "Allow", "GET"),
        (NotFound("no such thing"), "Content-Type", "application/problem+json"),
    ],
)
def test_http_errors_keep_the_headers_that_clients_need(
    error: HTTPException, header: str, value: str
) -> None:
    answer = answer_to(error)
    assert answer.status_code == error.code
    assert answer.headers[header] == value


def test_an_unknown_route_or_method_is_answered_with_those_that_there_are() -> None:
    app = Flask(__name__)
    handle_errors(app)
    app.add_url_rule("/health", view_func=lambda: "", methods=["GET"])
    app.add_url_rule("/predict", "predict", lambda: "", methods=["POST"])
    unknown, wrong = (app.test_client().get(path) for path in ("/predict/", "/predict"))
    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert set(wrong.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert unknown.get_json(force=True)["hint"] == "there is GET /health, POST /predict"
    assert wrong.get_json(force=True)["hint"] == "it takes OPTIONS, POST"


def test_an_unexpected_error_reveals_nothing_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problem = problem_of(RuntimeError("secret"))
    assert problem["status"] == 500
    assert "secret" not in str(problem)
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("cannot read /srv/models/a.joblib", "cannot read …/a.joblib"),
        ("'/srv/models/a b': gone", "'…/a b': gone"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("GET /schema says what", "GET /schema says what"),
        ("1/2 of it", "1/2 of it"),
    ],
)
def test_absolute_paths_are_shortened_to_their_last_part(message: str, shown: str) -> None:
    assert problem_of(errors.ArtefactMissing(message))["detail"] == shown
