"""Events of Kinesis and SQS, and rows that are asked directly."""

import base64
from typing import Any

import orjson
import pytest

from lightmodel.errors import ContractViolation, DataError
from lightmodel.streams.lambda_events import answer_records, answer_rows, records_of
from tests.fakes.project import Project
from tests.fakes.streams import GOOD, MemoryOutput, config_of, processor_of, visit

BAD = {**GOOD, "age": "old"}


def kinesis(*contents: object) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:kinesis",
                "eventID": f"shardId-000000000003:4{at}",
                "kinesis": {
                    "sequenceNumber": f"4{at}",
                    "partitionKey": f"key{at}",
                    "data": base64.b64encode(orjson.dumps(content)).decode(),
                },
            }
            for at, content in enumerate(contents)
        ]
    }


def sqs(*contents: object, groups: str = "") -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:sqs",
                "messageId": f"m{at}",
                "body": orjson.dumps(content).decode(),
                "attributes": {"MessageGroupId": groups[at]} if groups else {},
            }
            for at, content in enumerate(contents)
        ]
    }


def failures(answer: dict[str, Any]) -> list[str]:
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def test_records_of_kinesis_are_answered_and_bad_ones_put_aside(trained_shop: Project) -> None:
    output, dead = MemoryOutput(), MemoryOutput()
    processor = processor_of(config_of(trained_shop), output, dead)
    answer = answer_records(processor, kinesis(visit(0), BAD, visit(1)), "r9")
    assert answer == {"batchItemFailures": []}
    assert [(one["record"], one["request_id"]) for one in output.contents()] == [
        ("shardId-000000000003:40", "r9"),
        ("shardId-000000000003:42", "r9"),
    ]
    assert [one.key for one in output.messages] == ["key0", "key2"]
    assert [one["record"] for one in dead.contents()] == ["shardId-000000000003:41"]


def test_a_shard_is_repeated_from_what_was_not_written(trained_shop: Project) -> None:
    output = MemoryOutput([[1]])
    processor = processor_of(config_of(trained_shop), output)
    event = kinesis(visit(0), visit(1), visit(2))
    assert failures(answer_records(processor, event, "r")) == ["41", "42"]
    repeated = {"Records": event["Records"][1:]}
    assert failures(answer_records(processor, repeated, "r")) == []
    assert [one["visit_id"] for one in output.contents()] == ["n0", "n2", "n1"]


def test_without_a_stream_for_them_bad_records_are_reported(trained_shop: Project) -> None:
    output = MemoryOutput()
    processor = processor_of(config_of(trained_shop), output)
    assert failures(answer_records(processor, kinesis(visit(0), BAD), "r")) == ["41"]
    event = sqs(visit(2), BAD, visit(3))
    assert failures(answer_records(processor, event, "r")) == ["m1"]
    assert len(output.messages) == 3


def test_messages_behind_a_failed_one_of_their_group_are_repeated(trained_shop: Project) -> None:
    processor = processor_of(config_of(trained_shop), MemoryOutput())
    event = sqs(visit(0), BAD, visit(1), visit(2), groups="abab")
    assert failures(answer_records(processor, event, "r")) == ["m1", "m3"]


def test_a_test_run_returns_predictions(trained_shop: Project) -> None:
    processor = processor_of(config_of(trained_shop, "streams.test_run=true"), None)
    answer = answer_records(processor, kinesis(visit(0), BAD), "r")
    assert failures(answer) == []
    assert [row["visit_id"] for row in answer["predictions"]] == ["n0"]
    (rejected,) = answer["rejected"]
    assert rejected["record"] == "shardId-000000000003:41"
    assert "column 'age': is not a number" in rejected["message"]


@pytest.mark.parametrize(
    "event",
    [
        {"Records": [{"eventSource": "aws:s3", "s3": {}}]},
        {"Records": [{"eventSource": "aws:kinesis"}]},
        {"Records": [17]},
        {"Records": [{"eventSource": "aws:kinesis", "eventID": "s:1", "kinesis": {"data": "?"}}]},
    ],
)
def test_other_records_are_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="none of Kinesis or SQS"):
        records_of(event)


def test_rows_are_answered_as_the_seed_does(trained_shop: Project) -> None:
    model = processor_of(config_of(trained_shop), None).models.require()
    one, both = answer_rows(model, GOOD), answer_rows(model, [GOOD, visit(2)])
    assert one["predictions"] == both["predictions"][:1]
    assert one["model_version"] == model.version
    assert [row["visit_id"] for row in both["predictions"]] == ["v1", "n2"]
    split = {"dataframe_split": {"columns": [*GOOD], "data": [[*GOOD.values()]]}}
    assert answer_rows(model, split) == one


@pytest.mark.parametrize(("event", "kind"), [(BAD, ContractViolation), ("text", DataError)])
def test_rows_that_cannot_be_scored_are_an_error(
    trained_shop: Project, event: object, kind: type[DataError]
) -> None:
    model = processor_of(config_of(trained_shop), None).models.require()
    with pytest.raises(kind):
        answer_rows(model, event)
