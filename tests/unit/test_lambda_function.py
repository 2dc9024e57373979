"""The Lambda function: requests get the service's answers, other events those of the model."""

import base64
import gzip
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from lightmodel.errors import ConfigError
from lightmodel.lambda_function import LambdaFunction
from lightmodel.streams.lambda_http import MAX_ANSWER_BYTES, answer_of
from tests.fakes.project import Project
from tests.fakes.streams import GOOD, config_of
from tests.unit.streams.test_lambda_events import kinesis

CONTEXT = SimpleNamespace(aws_request_id="r1")


@pytest.fixture(scope="module")
def function(trained_shop: Project) -> LambdaFunction:
    return LambdaFunction(config_of(trained_shop, "streams.test_run=true"))


def url_event(method: str, path: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
    """Return an event of a function URL, whose format is that of HTTP APIs."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "abc.lambda-url.example", "content-type": "application/json"},
        "requestContext": {"http": {"method": method, "sourceIp": "192.0.2.7"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
        **more,
    }


def rest_event(method: str, path: str, body: str | None = None, **more: Any) -> dict[str, Any]:
    """Return an event of a REST API."""
    return {
        "httpMethod": method,
        "path": path,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "requestContext": {"identity": {"sourceIp": "192.0.2.7"}, "stage": "prod"},
        "body": body,
        "isBase64Encoded": False,
        **more,
    }


def test_a_function_url_answers_as_the_service_does(function: LambdaFunction) -> None:
    answer = function(url_event("POST", "/predict", orjson.dumps(GOOD)), CONTEXT)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert orjson.loads(answer["body"]) == function(GOOD, CONTEXT)["predictions"]
    version = function(GOOD, CONTEXT)["model_version"]
    assert answer["headers"]["x-model-version"] == version


def test_a_rest_api_answers_as_the_service_does(function: LambdaFunction) -> None:
    answer = function(rest_event("POST", "/predict", orjson.dumps(GOOD).decode()), CONTEXT)
    assert orjson.loads(answer["body"]) == function(GOOD, CONTEXT)["predictions"]
    assert answer["multiValueHeaders"]["content-type"] == ["application/json"]


def test_queries_stages_and_compressed_bodies_arrive(function: LambdaFunction) -> None:
    body = gzip.compress(orjson.dumps(GOOD))
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    event = url_event("POST", "/prod/predict", body, rawQueryString="explain=2", headers=headers)
    event["requestContext"]["stage"] = "prod"
    (row,) = orjson.loads(function(event, CONTEXT)["body"])
    assert len(row["contributions"]) == 2
    event = rest_event("POST", "/predict", orjson.dumps(GOOD).decode())
    event["multiValueQueryStringParameters"] = {"threshold": ["2"]}
    assert function(event, CONTEXT)["statusCode"] == 400


def test_errors_are_problem_details_and_pictures_are_encoded(function: LambdaFunction) -> None:
    bad = function(url_event("POST", "/predict", b'{"age": 1}'), CONTEXT)
    assert (bad["statusCode"], orjson.loads(bad["body"])["title"]) == (422, "Unprocessable Entity")
    assert function(url_event("GET", "/nothing"), CONTEXT)["statusCode"] == 404
    page = function(url_event("GET", "/"), CONTEXT)
    assert page["body"].lstrip().startswith("<!")
    image = answer_of({}, 200, [(b"content-type", b"image/png")], b"\x89PNG")
    assert (image["isBase64Encoded"], base64.b64decode(image["body"])) == (True, b"\x89PNG")


def test_an_answer_that_lambda_would_not_deliver_is_an_error() -> None:
    large = answer_of({}, 200, [(b"content-type", b"text/csv")], b"x" * (MAX_ANSWER_BYTES + 1))
    assert (large["statusCode"], orjson.loads(large["body"])["status"]) == (413, 413)


def test_records_are_answered(function: LambdaFunction) -> None:
    answer = function(kinesis(GOOD), CONTEXT)
    assert [row["visit_id"] for row in answer["predictions"]] == ["v1"]


def test_records_need_a_stream_for_the_answers(trained_shop: Project) -> None:
    with pytest.raises(ConfigError, match="no stream is named"):
        LambdaFunction(config_of(trained_shop))(kinesis(GOOD), CONTEXT)
