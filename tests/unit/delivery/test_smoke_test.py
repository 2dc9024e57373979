"""The answers to a model's own sample rows, held against its manifest."""

import json
from typing import Any

import pytest

from benchmarks.ports import free_port
from lightmodel.delivery.smoke_test import (
    Answer,
    check_address,
    check_sample_answers,
    over_http,
    sample_request,
    smoke_test,
)
from lightmodel.errors import DeployFailed
from lightmodel.store.manifest import Manifest
from tests.fakes.web import Web, csv_reply

BINARY = {"kind": "binary", "labels": ["no", "yes"]}
SEVERAL = {"kind": "multiclass", "labels": ["a", "b", "c"]}
NUMBER = {"kind": "regression", "labels": []}
SAMPLES = {
    "binary": [{"values": {"x": 1}, "score": [0.25]}, {"values": {"x": None}, "score": [0.5]}],
    "multiclass": [{"values": {"x": 1}, "score": [0.2, 0.3, 0.5]}],
    "regression": [{"values": {"x": 1}, "score": [-3.5]}],
}
GOOD: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    (
        BINARY,
        [{"prediction": "no", "probability": 0.25}, {"prediction": "yes", "probability": 0.5}],
    ),
    (SEVERAL, [{"prediction": "c", "probability": {"c": 0.5, "a": 0.2, "b": 0.3}}]),
    (NUMBER, [{"prediction": -3.5}]),
]


@pytest.mark.parametrize(("task", "answers"), GOOD)
def test_the_stored_scores_are_good_and_any_other_is_not(
    task: dict[str, Any], answers: list[dict[str, Any]]
) -> None:
    samples = SAMPLES[task["kind"]]
    check_sample_answers(answers, samples, task)
    off = json.loads(json.dumps(answers).replace("0.5", "0.5000001").replace("-3.5", "-3.50001"))
    with pytest.raises(DeployFailed, match="differ from the stored scores"):
        check_sample_answers(off, samples, task)


@pytest.mark.parametrize(
    "answers",
    [None, {}, [], [{}], [{}, {}], [None, None], [{"probability": "0.25"}, {"probability": 0.5}]],
)
def test_anything_else_than_answers_is_refused(answers: object) -> None:
    with pytest.raises(DeployFailed):
        check_sample_answers(answers, SAMPLES["binary"], BINARY)


def test_the_request_holds_the_rows_as_records() -> None:
    assert json.loads(sample_request(SAMPLES["binary"])) == [{"x": 1}, {"x": None}]


def test_another_web_server_is_named_as_such() -> None:
    manifest = Manifest("model", "20261121T005018961753Z-667e3a", "", {}, {}, {}, {}, "")

    def other_server(*_: object) -> Answer:
        return Answer(200, json.dumps({"hello": "world"}))

    with pytest.raises(DeployFailed, match="no light-model service"):
        smoke_test(other_server, manifest)


def test_this_machine_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")  # nobody listens there
    with Web(lambda _: csv_reply(b"a")) as web:
        assert over_http(web.url)("/ready", None).status == 200


@pytest.mark.parametrize(
    "answer",
    [
        Answer(0, "Connection refused"),
        Answer(503, '{"status": "not ready"}'),
        Answer(200, "<html>"),
    ],
)
def test_success_is_said_of_no_address_that_does_not_lead_to_the_service(answer: Answer) -> None:
    check_address(Answer(200, '{"status":"ready","version":"20260101"}'), "http://localhost:5001")
    with pytest.raises(DeployFailed, match="http://localhost:5001 does not lead to it"):
        check_address(answer, "http://localhost:5001")
