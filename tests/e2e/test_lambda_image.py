"""The image for AWS Lambda, beside a stand-in of Lambda's runtime API."""

import csv
import io
import json

import docker
import pytest

from tests.fakes.lambda_image import function
from tests.unit.streams.test_lambda_events import kinesis
from tests.unit.test_lambda_function import url_event

pytestmark = pytest.mark.docker


def test_the_function_answers_requests_rows_and_records(lambda_image: str) -> None:
    with function(lambda_image, "TEST_RUN=true") as runtime:
        sample = runtime.invoke(url_event("GET", "/sample.csv")).content
        row = next(csv.DictReader(io.StringIO(sample["body"])))
        posted = runtime.invoke(url_event("POST", "/predict", json.dumps(row).encode())).content
        direct = runtime.invoke(row).content
        records = runtime.invoke(kinesis(row, {"nothing": 1})).content
    (answer,) = json.loads(posted["body"])
    assert 0 <= answer["probability"] <= 1
    assert direct["predictions"] == [answer] == records["predictions"]
    assert [one["record"] for one in records["rejected"]] == ["shardId-000000000003:41"]


def test_the_function_names_what_it_lacks(lambda_image: str) -> None:
    with function(lambda_image) as runtime:
        answer = runtime.invoke(kinesis({"nothing": 1}))
    assert (answer.kind, answer.content["errorType"]) == ("error", "ConfigError")
    assert "no stream is named" in answer.content["errorMessage"]


def test_the_image_is_lean_and_labelled(lambda_image: str) -> None:
    attributes = docker.from_env().images.get(lambda_image).attrs
    assert attributes["Size"] <= 450e6
    assert attributes["Config"]["Cmd"] == ["lightmodel.lambda_function.handler"]
    assert attributes["Config"]["Labels"]["light-model.service"] == "lambda"
    assert attributes["Config"]["Labels"]["org.opencontainers.image.revision"] == "c0ffee"
    assert attributes["Config"]["User"] == "10001:0"
