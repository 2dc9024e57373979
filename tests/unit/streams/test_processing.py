"""A batch is written once, whatever is delivered twice, refused or bad."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lightmodel.config import LogSection
from lightmodel.predictions.log import PredictionLog
from lightmodel.predictions.sqlite import SqliteSink
from lightmodel.streams.base import Record
from lightmodel.streams.processing import BatchProcessor, Outcome
from tests.fakes.project import Project
from tests.fakes.streams import (
    GOOD,
    MemoryOutput,
    again,
    config_of,
    processor_of,
    records_of,
    visit,
)

BAD = {**GOOD, "visit_id": "bad", "age": "old"}
VISITS = [visit(number) for number in range(5)]


def process(processor: BatchProcessor, records: Sequence[Record]) -> Outcome:
    outcome = processor.process(records, "r1")
    processor.checkpoints.advance({}, outcome.keys)
    return outcome


def ids(output: MemoryOutput) -> list[Any]:
    return [content["visit_id"] for content in output.contents()]


def test_an_answer_names_its_record_model_and_request(trained_shop: Project) -> None:
    output = MemoryOutput()
    processor = processor_of(config_of(trained_shop), output)
    process(processor, records_of(GOOD, shard="shard-7"))
    (content,) = output.contents()
    assert {
        name: content[name] for name in ("record", "model_version", "request_id", "visit_id")
    } == {
        "record": "shard-7:0",
        "model_version": processor.models.require().version,
        "request_id": "r1",
        "visit_id": "v1",
    }
    assert content["prediction"] in {"yes", "no"}
    assert 0 < content["probability"] < 1
    assert output.messages[0].key == "key0"


def test_a_bad_record_becomes_a_dead_letter_and_the_others_are_answered(
    trained_shop: Project,
) -> None:
    output, dead = MemoryOutput(), MemoryOutput()
    outcome = process(
        processor_of(config_of(trained_shop), output, dead),
        records_of(VISITS[0], BAD, VISITS[1], b"\xff"),
    )
    assert (ids(output), outcome.failed) == (["n0", "n1"], set())
    first, second = dead.contents()
    assert first["violations"] == [
        {"column": "age", "rule": "type", "detail": "is not a number", "rows": [1], "total": 1}
    ]
    assert (first["record"], '"age":"old"' in first["data"]) == ("0:1", True)
    assert (second["data_base64"], second["error"]) == ("/w==", "DataError")


def test_a_bad_record_has_failed_where_there_is_no_stream_for_it(trained_shop: Project) -> None:
    output = MemoryOutput()
    processor = processor_of(config_of(trained_shop), output)
    records = records_of(VISITS[0], BAD, VISITS[1])
    assert process(processor, records).failed == {1}
    assert process(processor, records).failed == {1}
    assert ids(output) == ["n0", "n1"]


def test_a_record_too_large_for_a_dead_letter_is_left_out_of_it(trained_shop: Project) -> None:
    dead = MemoryOutput(largest=2_000)
    processor = processor_of(config_of(trained_shop), MemoryOutput(), dead)
    process(processor, records_of({**BAD, "note": "x" * 3_000}))
    assert ("data" in dead.contents()[0], dead.contents()[0]["record"]) == (False, "0:0")


def test_a_record_that_is_delivered_again_is_answered_once(trained_shop: Project) -> None:
    output, dead = MemoryOutput(), MemoryOutput()
    processor = processor_of(config_of(trained_shop), output, dead)
    records = records_of(*VISITS, BAD)
    assert process(processor, records).repeated == 0
    assert process(processor, [*records, *again(records[:1], 9)]).repeated == 6
    assert (ids(output), len(dead.messages)) == ([*(f"n{at}" for at in range(5)), "n0"], 1)


def test_ids_are_answered_once_if_asked(trained_shop: Project) -> None:
    output = MemoryOutput()
    processor = processor_of(config_of(trained_shop, "streams.dedupe=id"), output)
    first = records_of(VISITS[0], VISITS[0], VISITS[1])
    assert process(processor, first).repeated == 1
    assert process(processor, again(first, 100)).repeated == 3
    assert ids(output) == ["n0", "n1"]


def test_everything_is_answered_if_asked(trained_shop: Project) -> None:
    output = MemoryOutput()
    processor = processor_of(config_of(trained_shop, "streams.dedupe=none"), output)
    for _ in range(2):
        assert process(processor, records_of(VISITS[0], BAD)).repeated == 0
    assert ids(output) == ["n0", "n0"]


def test_what_was_not_written_has_failed_and_is_written_the_next_time(
    trained_shop: Project,
) -> None:
    output, dead = MemoryOutput([[1, 3]]), MemoryOutput([[0]])
    processor = processor_of(config_of(trained_shop), output, dead)
    records = records_of(*VISITS, BAD)
    assert process(processor, records).failed == {1, 3, 5}
    outcome = process(processor, records)
    assert (outcome.failed, outcome.repeated) == (set(), 3)
    assert (ids(output), len(dead.messages)) == (["n0", "n2", "n4", "n1", "n3"], 1)


def test_a_test_run_writes_nothing(trained_shop: Project) -> None:
    output = MemoryOutput()
    outcome = process(
        processor_of(config_of(trained_shop, "streams.test_run=true"), output),
        records_of(GOOD, BAD),
    )
    assert output.messages == []
    assert ([row["visit_id"] for row in outcome.answers], len(outcome.rejected)) == (["v1"], 1)


@pytest.mark.parametrize("features", [False, True])
def test_answers_are_in_the_prediction_log(trained_shop: Project, *, features: bool) -> None:
    log = PredictionLog(Path("log.sqlite"), LogSection(), lambda _what, _rows: None)
    config = config_of(trained_shop, f"log.features={features}")
    processor = processor_of(config, MemoryOutput(), MemoryOutput(), log)
    process(processor, records_of(VISITS[0], BAD, VISITS[1]))
    log.close()
    rows = list(SqliteSink(Path("log.sqlite")).rows(""))
    assert [row[4] for row in rows] == ["n0", "n1"]
    assert [row[7] is not None for row in rows] == [features] * 2
