"""`python -m lightmodel stream` and the Lambda function, as processes beside real services."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import requests

from benchmarks.lambda_runtime import LambdaRuntime
from benchmarks.ports import free_port
from tests.fakes import clouds, kafka
from tests.fakes.project import ROOT, Project
from tests.fakes.streams import GOOD, visit
from tests.fakes.waiting import running, wait_until
from tests.unit.streams.test_lambda_events import kinesis as kinesis_event

ROWS, BATCH = 10_000, 200
_PATIENCE_S = 300.0


@dataclass(frozen=True)
class Streams:
    """Three streams of a real service: for visits, for answers, and for dead letters."""

    addresses: tuple[str, str, str]
    environ: dict[str, str]
    put: Callable[[list[tuple[bytes, str]]], None]
    stored: Callable[[str], list[tuple[bytes, str]]]

    def words(self) -> list[str]:
        names = ("--input", "--output", "--dead-letter")
        pairs = zip(names, self.addresses, strict=True)
        return ["stream", *(word for pair in pairs for word in pair)]

    def contents(self, place: int) -> list[dict[str, Any]]:
        return [orjson.loads(data) for data, _ in self.stored(self.addresses[place])]


@pytest.fixture
def kinesis() -> Iterator[Streams]:
    names = ("visits", "answers", "dead")
    with clouds.moto() as endpoint:
        for name in names:
            clouds.make_stream(endpoint, name, 2)
        yield Streams(
            ("kinesis://visits", "kinesis://answers", "kinesis://dead"),
            clouds.aws_environment(endpoint),
            lambda pairs: clouds.put_records(endpoint, "visits", pairs),
            lambda address: clouds.records_in(endpoint, address.rpartition("/")[2]),
        )


@pytest.fixture
def topics() -> Iterator[Streams]:
    names = ("visits", "answers", "dead")
    with kafka.broker() as broker:
        for name in names:
            kafka.make_topic(broker, name, 2)
        first, second, third = (f"kafka://{broker}/{name}" for name in names)
        yield Streams(
            (first, second, third),
            {},
            lambda pairs: kafka.produce(broker, "visits", pairs),
            lambda address: kafka.messages_in(broker, address.rpartition("/")[2]),
        )


@pytest.fixture(
    params=[
        pytest.param("kinesis", marks=pytest.mark.aws),
        pytest.param("topics", marks=pytest.mark.kafka),
    ]
)
def streams(request: pytest.FixtureRequest) -> Streams:
    made: Streams = request.getfixturevalue(request.param)
    return made


def pairs_of(numbers: range) -> list[tuple[bytes, str]]:
    return [(orjson.dumps(visit(number)), f"key{number % 17}") for number in numbers]


@contextmanager
def consuming(
    project: Project, streams: Streams, *words: str
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the consumer in the background, its log in stream.log."""
    command = [sys.executable, "-m", "lightmodel", *streams.words(), *words]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **streams.environ}
    with (
        (project.folder / "stream.log").open("ab") as log,
        running(command, cwd=project.folder, env=environ, stdout=log, stderr=log) as process,
    ):
        yield process


def log_of(project: Project) -> str:
    return (project.folder / "stream.log").read_text()


def batches_in_log(project: Project) -> int:
    return log_of(project).count(" answered, ")


def is_part(found: list[int], every: list[int]) -> bool:
    """Return whether the first occurrences of the numbers are in order."""
    return list(dict.fromkeys(found)) == every


def test_a_consumer_that_is_killed_loses_nothing_and_repeats_a_batch_at_most(
    approved: Project, streams: Streams
) -> None:
    streams.put(pairs_of(range(ROWS)))
    settings = ("--drain", "--set", f"streams.batch_records={BATCH}", "--set", "log.sink=none")
    kills, random_ = 0, random.Random(7)
    for part in (0.1, 0.35, 0.6):
        with consuming(approved, streams, *settings) as process:
            wait_until(
                lambda part=part: batches_in_log(approved) >= part * ROWS / BATCH,  # type: ignore[misc]
                "some batches",
                process=process,
                seconds=_PATIENCE_S,
            )
            time.sleep(random_.random() / 20)  # anywhere in a batch
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            kills += 1
    with consuming(approved, streams, *settings) as process:
        assert process.wait(timeout=_PATIENCE_S) == 0, log_of(approved)
    answers = streams.contents(1)
    times = Counter(answer["record"] for answer in answers)
    repeated = sum(count - 1 for count in times.values())
    assert {answer["visit_id"] for answer in answers} == {f"n{at}" for at in range(ROWS)}
    assert len(times) == ROWS
    assert repeated <= kills * BATCH
    for key in range(17):
        numbers = [int(one["visit_id"][1:]) for one in answers]
        assert is_part([at for at in numbers if at % 17 == key], [*range(key, ROWS, 17)])


def test_a_consumer_that_is_stopped_finishes_its_batch(approved: Project, streams: Streams) -> None:
    streams.put(pairs_of(range(2_000)))
    port = free_port()
    words = ("--set", f"streams.metrics_port={port}", "--set", "streams.batch_records=50")
    with consuming(approved, streams, *words) as process:
        wait_until(
            lambda: batches_in_log(approved), "a batch", process=process, seconds=_PATIENCE_S
        )
        with requests.Session() as session:
            session.trust_env = False
            page = session.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
        assert "lightmodel_stream_records_total" in page
        process.terminate()
        assert process.wait(timeout=_PATIENCE_S) == 0, log_of(approved)
    streams.put([(b"{}", "k")])
    with consuming(approved, streams, *words, "--drain") as process:
        assert process.wait(timeout=_PATIENCE_S) == 0, log_of(approved)
    times = Counter(answer["visit_id"] for answer in streams.contents(1))
    assert times == {f"n{at}": 1 for at in range(2_000)}
    assert [letter["error"] for letter in streams.contents(2)] == ["ContractViolation"]


@pytest.mark.aws
def test_a_test_run_leaves_no_trace(approved: Project, kinesis: Streams) -> None:
    kinesis.put(pairs_of(range(10)))
    with consuming(approved, kinesis, "--drain", "--test-run") as process:
        assert process.wait(timeout=_PATIENCE_S) == 0, log_of(approved)
    assert sum(map(int, re.findall(r"(\d+) answered", log_of(approved)))) == 10
    assert kinesis.contents(1) == []
    assert not (approved.folder / "var" / "streams").exists()


@contextmanager
def function(project: Project, runtime: LambdaRuntime, **environ: str) -> Iterator[None]:
    """Run the Lambda function by Lambda's own runtime client."""
    command = [sys.executable, "-m", "awslambdaric", "lightmodel.lambda_function.handler"]
    everything = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "AWS_LAMBDA_RUNTIME_API": runtime.address,
        **environ,
    }
    with running(command, cwd=project.folder, env=everything):
        yield


@pytest.mark.aws
def test_the_function_answers_by_lambdas_runtime_client(
    approved: Project, kinesis: Streams
) -> None:
    environ = {
        **kinesis.environ,
        "LIGHTMODEL__STREAMS__OUTPUT": kinesis.addresses[1],
        "LIGHTMODEL__STREAMS__DEAD_LETTER": kinesis.addresses[2],
    }
    event = kinesis_event(visit(1), {**GOOD, "age": "old"}, visit(2))
    with LambdaRuntime().serving() as runtime, function(approved, runtime, **environ):
        assert runtime.invoke(event) == ("response", {"batchItemFailures": []})
        assert runtime.invoke(event) == ("response", {"batchItemFailures": []})
        direct = runtime.invoke(GOOD)
        error = runtime.invoke({"age": "old"})
    assert [one["visit_id"] for one in kinesis.contents(1)] == ["n1", "n2"]
    assert [one["record"] for one in kinesis.contents(2)] == ["shardId-000000000003:41"]
    assert direct.content["predictions"][0]["visit_id"] == "v1"
    assert (error.kind, error.content["errorType"]) == ("error", "ContractViolation")


@pytest.mark.aws
def test_a_test_run_of_the_function_writes_nothing(approved: Project, kinesis: Streams) -> None:
    environ = {"TEST_RUN": "True", "LIGHTMODEL__STREAMS__OUTPUT": kinesis.addresses[1]}
    with (
        LambdaRuntime().serving() as runtime,
        function(approved, runtime, **kinesis.environ, **environ),
    ):
        answer = runtime.invoke(kinesis_event(visit(1)))
    assert [row["visit_id"] for row in answer.content["predictions"]] == ["n1"]
    assert kinesis.contents(1) == []


def test_the_streams_are_named_on_the_command_line_or_in_the_settings(approved: Project) -> None:
    missing = approved.tool("stream")
    assert (missing.code, "no stream is named to read" in missing.err) == (78, True)
    wrong = approved.tool("stream", "--input", "visits", "--output", "kinesis://a")
    assert (wrong.code, "kinesis://STREAM" in wrong.err) == (78, True)
    assert not (approved.folder / "var" / "streams").exists()
