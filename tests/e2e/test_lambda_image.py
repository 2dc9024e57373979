"""The image for AWS Lambda, beside a stand-in of Lambda's runtime API."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import pytest

from benchmarks.lambda_runtime import LambdaRuntime
from tests.fakes.docker_engine import IMAGE, build
from tests.unit.streams.test_lambda_events import kinesis
from tests.unit.test_lambda_function import url_event

pytestmark = pytest.mark.docker
LAMBDA = f"{IMAGE}-lambda"
# As Lambda runs it: some user, and nothing but /tmp can be written to.
OPTIONS = ("--network", "host", "-u", "993:990", "--read-only", "--tmpfs", "/tmp")


@pytest.fixture(scope="module")
def image(images: str) -> Iterator[str]:
    assert images  # its layers are used again
    build("--target", "lambda", "--build-arg", "COMMIT=c0ffee", "-t", LAMBDA)
    yield LAMBDA
    docker.from_env().images.remove(LAMBDA, force=True)


@contextmanager
def function(image: str, *environ: str) -> Iterator[LambdaRuntime]:
    """Run the image as a function, and yield the runtime API that it asks for events."""
    with LambdaRuntime().serving() as runtime:
        variables = (f"AWS_LAMBDA_RUNTIME_API={runtime.address}", *environ)
        options = [word for variable in variables for word in ("-e", variable)]
        command = ["docker", "run", "-d", *OPTIONS, *options, image]
        name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        try:
            yield runtime
        finally:
            subprocess.run(["docker", "rm", "-fv", name], check=True, capture_output=True)


def test_the_function_answers_requests_rows_and_records(image: str) -> None:
    with function(image, "TEST_RUN=true") as runtime:
        sample = runtime.invoke(url_event("GET", "/sample.csv")).content
        row = next(csv.DictReader(io.StringIO(sample["body"])))
        posted = runtime.invoke(url_event("POST", "/predict", json.dumps(row).encode())).content
        direct = runtime.invoke(row).content
        records = runtime.invoke(kinesis(row, {"nothing": 1})).content
    (answer,) = json.loads(posted["body"])
    assert 0 <= answer["probability"] <= 1
    assert direct["predictions"] == [answer] == records["predictions"]
    assert [one["record"] for one in records["rejected"]] == ["shardId-000000000003:41"]


def test_the_function_names_what_it_lacks(image: str) -> None:
    with function(image) as runtime:
        answer = runtime.invoke(kinesis({"nothing": 1}))
    assert (answer.kind, answer.content["errorType"]) == ("error", "ConfigError")
    assert "no stream is named" in answer.content["errorMessage"]


def test_the_image_is_lean_and_labelled(image: str) -> None:
    attributes = docker.from_env().images.get(image).attrs
    assert attributes["Size"] <= 450e6
    assert attributes["Config"]["Cmd"] == ["lightmodel.lambda_function.handler"]
    assert attributes["Config"]["Labels"]["light-model.service"] == "lambda"
    assert attributes["Config"]["Labels"]["org.opencontainers.image.revision"] == "c0ffee"
    assert attributes["Config"]["User"] == "10001:0"
