"""The consumer loses nothing, whenever it stops and whatever fails."""

import logging
import threading
from pathlib import Path

import pytest

from lightmodel.errors import AlreadyRunning, ConfigError, DataError
from lightmodel.files import file_lock
from lightmodel.streams.base import StreamOutput
from lightmodel.streams.checkpoints import Checkpoints
from lightmodel.streams.consumer import Consumer, PatientOutput, checkpoint_file, consume
from lightmodel.streams.metrics import StreamMetrics
from lightmodel.streams.processing import BatchProcessor
from tests.fakes.project import Project
from tests.fakes.streams import (
    GOOD,
    MemoryInput,
    MemoryOutput,
    config_of,
    processor_of,
    records_of,
    visit,
)

BAD = {**GOOD, "age": "old"}
RECORDS = records_of(*(visit(number) for number in range(25)))


class Waits:
    """Stands for the passing of time; the consumer is stopped at its `last` wait."""

    def __init__(self, last: int = 1_000) -> None:
        self.last = last
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> bool:
        if seconds:
            self.seconds.append(seconds)
        return len(self.seconds) >= self.last


def consumer_of(
    project: Project,
    source: MemoryInput,
    output: MemoryOutput,
    dead_letter: StreamOutput | None = None,
    wait: Waits | None = None,
) -> Consumer:
    config = config_of(project, "streams.batch_records=10")
    wait = wait or Waits()
    made = processor_of(config, PatientOutput(output, wait), dead_letter)
    checkpoints = Checkpoints(Path("positions.sqlite"), 1_000)
    processor = BatchProcessor(config, made.models, made.output, dead_letter, checkpoints)
    return Consumer(source, processor, checkpoints, StreamMetrics(), config.streams, wait)


def names(output: MemoryOutput) -> list[str]:
    return [content["visit_id"] for content in output.contents()]


ALL = [f"n{number}" for number in range(25)]


def test_a_stream_is_processed_to_its_end_and_not_again(trained_shop: Project) -> None:
    output = MemoryOutput()
    for _ in range(2):
        consumer_of(trained_shop, MemoryInput(RECORDS), output).run(drain=True)
    assert names(output) == ALL
    assert Checkpoints(Path("positions.sqlite"), 10).positions() == {"0": "24"}


def test_it_waits_for_an_input_that_does_not_answer(
    trained_shop: Project, caplog: pytest.LogCaptureFixture
) -> None:
    output, waits = MemoryOutput(), Waits()
    consumer_of(trained_shop, MemoryInput(RECORDS, outages=4), output, wait=waits).run(drain=True)
    assert names(output) == ALL
    assert len(waits.seconds) == 4
    assert waits.seconds[3] > waits.seconds[0]
    assert [one.message for one in caplog.records if one.levelno == logging.WARNING] == [
        "the stream does not answer; trying again"
    ]


def test_it_waits_for_an_output_and_sends_only_what_was_refused(trained_shop: Project) -> None:
    output = MemoryOutput([range(10), [2, 5], [1]])
    consumer_of(trained_shop, MemoryInput(RECORDS), output).run(drain=True)
    assert sorted(names(output)) == sorted(ALL)
    assert names(output)[:10] == [*("n0", "n1", "n3", "n4", "n6", "n7", "n8", "n9"), "n2", "n5"]


def test_stopped_while_it_waits_it_goes_on_with_what_is_left(trained_shop: Project) -> None:
    output = MemoryOutput([[], [3, 4]])
    consumer_of(trained_shop, MemoryInput(RECORDS), output, wait=Waits(1)).run(drain=True)
    assert sorted(names(output)) == sorted(set(ALL[:20]) - {"n13", "n14"})
    consumer_of(trained_shop, MemoryInput(RECORDS), output).run(drain=True)
    assert sorted(names(output)) == sorted(ALL)


def test_it_reads_on_when_something_new_arrives(trained_shop: Project) -> None:
    output, source = MemoryOutput(), MemoryInput(RECORDS[:5])
    source.on_end = lambda: source.records.extend(RECORDS[len(source.records) :][:10])
    consumer_of(trained_shop, source, output, wait=Waits(4)).run()
    assert names(output) == ALL


def test_a_bad_record_stops_it_until_there_is_a_stream_for_it(trained_shop: Project) -> None:
    output, dead = MemoryOutput(), MemoryOutput()
    records = records_of(visit(0), BAD, visit(2))
    for _ in range(2):
        with pytest.raises(DataError, match="the record 0:1 cannot be scored") as raised:
            consumer_of(trained_shop, MemoryInput(records), output).run(drain=True)
        assert "--dead-letter" in raised.value.hint
    consumer_of(trained_shop, MemoryInput(records), output, dead).run(drain=True)
    assert (names(output), len(dead.messages)) == (["n0", "n2"], 1)


def test_metrics_count_what_was_done(trained_shop: Project) -> None:
    consumer = consumer_of(
        trained_shop, MemoryInput(records_of(visit(0), BAD)), MemoryOutput(), MemoryOutput()
    )
    consumer.run(drain=True)
    value = consumer.metrics.registry.get_sample_value
    assert value("lightmodel_stream_records_total") == 2
    outcomes = ("answered", "rejected", "repeated")
    rows = [value("lightmodel_stream_rows_total", {"outcome": outcome}) for outcome in outcomes]
    assert rows == [1, 1, 0]


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ((), "no stream is named to read"),
        (("streams.input=kinesis://a",), "no stream is named to write"),
    ],
)
def test_streams_must_be_named(trained_shop: Project, sets: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        consume(config_of(trained_shop, *sets), threading.Event())


def test_one_process_reads_a_stream(approved: Project) -> None:
    config = config_of(approved, "streams.input=kinesis://a", "streams.output=kinesis://b")
    file = checkpoint_file(config)
    with (
        file_lock(file.with_suffix(".lock")),
        pytest.raises(AlreadyRunning, match="another process reads kinesis://a"),
    ):
        consume(config, threading.Event())
    assert file.name == "kinesis-a.sqlite"
