"""Shards that are split, iterators that expire, and records that Kinesis does not take at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from lightmodel.config import StreamsSection
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.streams.base import Message
from lightmodel.streams.kinesis import KinesisInput, KinesisOutput

pytestmark = pytest.mark.aws
SETTINGS = StreamsSection(retries=3)


@dataclass
class FakeKinesis:
    """A stream whose shards are split; moto puts the records of a split shard elsewhere.

    Attributes:
        shards: the data of each shard.
        parents: of the shards that came of others, which are closed.
        expired: the iterators that have expired.
        errors: the codes with which the next calls fail.
        refusals: the places that each of the next PutRecords does not take.
    """

    shards: dict[str, list[bytes]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    refusals: list[Sequence[int]] = field(default_factory=list)
    put: list[list[bytes]] = field(default_factory=list)
    most: int = 2  # records of an answer

    def _fail(self, operation: str) -> None:
        from botocore.exceptions import ClientError

        if self.errors and (code := self.errors.pop(0)):
            raise ClientError({"Error": {"Code": code}}, operation)

    def list_shards(self, **asked: str) -> dict[str, Any]:
        self._fail("ListShards")
        names = list(self.shards)
        at = int(asked.get("NextToken", 0))
        page = {"ShardId": names[at]}
        if parent := self.parents.get(names[at]):
            page["ParentShardId"] = parent
        more = {"NextToken": str(at + 1)} if at + 1 < len(names) else {}
        return {"Shards": [page], **more}

    def get_shard_iterator(self, **asked: str) -> dict[str, str]:
        self._fail("GetShardIterator")
        shard = asked["ShardId"]
        start = {
            "TRIM_HORIZON": 0,
            "LATEST": len(self.shards[shard]),
            "AFTER_SEQUENCE_NUMBER": int(asked.get("StartingSequenceNumber", -1)) + 1,
        }[asked["ShardIteratorType"]]
        return {"ShardIterator": f"{shard}/{start}"}

    def get_records(self, **asked: Any) -> dict[str, Any]:
        iterator = asked["ShardIterator"]
        if iterator in self.expired:
            self.expired.remove(iterator)
            self.errors.insert(0, "ExpiredIteratorException")
        self._fail("GetRecords")
        shard, _, start = iterator.partition("/")
        at, data = int(start), self.shards[shard]
        end = min(at + self.most, len(data))
        is_closed = shard in self.parents.values() and end == len(data)
        return {
            "Records": [
                {"Data": data[number], "SequenceNumber": str(number), "PartitionKey": "k"}
                for number in range(at, end)
            ],
            "MillisBehindLatest": 1000 * (len(data) - end),
            **({} if is_closed else {"NextShardIterator": f"{shard}/{end}"}),
        }

    def put_records(self, **asked: Any) -> dict[str, Any]:
        self._fail("PutRecords")
        refused = self.refusals.pop(0) if self.refusals else ()
        self.put.append([one["Data"] for one in asked["Records"]])
        answers = [
            {"ErrorCode": "ProvisionedThroughputExceededException"} if at in refused else {}
            for at in range(len(asked["Records"]))
        ]
        return {"FailedRecordCount": len(refused), "Records": answers}

    def close(self) -> None:
        pass


def input_of(client: FakeKinesis, start: str = "oldest") -> KinesisInput:
    settings = SETTINGS.model_copy(update={"start": start})
    return KinesisInput("visits", client, settings, sleep=lambda _: None)


def read_all(source: KinesisInput) -> list[bytes]:
    found: list[bytes] = []
    while not source.is_at_end or not found:
        found += [one.data for one in source.read(10)]
    return found


def test_children_are_read_after_their_shard() -> None:
    client = FakeKinesis(
        {"a": [b"1", b"2", b"3"], "b": [b"4", b"5"], "c": [b"6"]}, {"b": "a", "c": "a"}
    )
    source = input_of(client)
    source.seek({})
    found = read_all(source)
    assert (found[:3], sorted(found[3:])) == ([b"1", b"2", b"3"], [b"4", b"5", b"6"])


def test_a_restart_among_the_children_of_a_shard_leaves_nothing_out() -> None:
    client = FakeKinesis({"a": [b"1", b"2"], "b": [b"3", b"4"]}, {"b": "a"})
    source = input_of(client)
    source.seek({"a": "1", "b": "0"})
    assert read_all(source) == [b"4"]


def test_children_are_read_from_their_beginning_though_reading_began_with_the_newest() -> None:
    client = FakeKinesis({"a": [b"1"]})
    source = input_of(client, "newest")
    source.seek({})
    assert source.read(10) == []
    client.shards["a"].append(b"2")
    client.shards["b"] = [b"3"]
    client.parents["b"] = "a"
    assert read_all(source) == [b"2", b"3"]


def test_an_expired_iterator_is_replaced() -> None:
    client = FakeKinesis({"a": [b"%d" % number for number in range(5)]}, expired={"a/2", "a/4"})
    source = input_of(client)
    source.seek({})
    assert read_all(source) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_shard_is_read_five_times_a_second_at_most() -> None:
    now, pauses = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    client = FakeKinesis({"a": [b"1"] * 6})
    source = KinesisInput("visits", client, SETTINGS, lambda: now[0], sleep)
    source.seek({})
    read_all(source)
    assert pauses == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ProvisionedThroughputExceededException", SourceUnavailable),
        ("ResourceNotFoundException", ConfigError),
        ("AccessDeniedException", ConfigError),
    ],
)
@pytest.mark.parametrize("call", [0, 1, 2])
def test_errors_of_the_service_are_told_apart(code: str, kind: type[Exception], call: int) -> None:
    client = FakeKinesis({"a": [b"1"]}, errors=[""] * call + [code])
    source = input_of(client)
    source.seek({})
    with pytest.raises(kind):
        source.read(1)
    assert [one.data for one in source.read(1)] == [b"1"]


def test_what_was_not_taken_is_sent_again_and_nothing_else() -> None:
    client = FakeKinesis(errors=["InternalFailure"], refusals=[[1, 3], [0]])
    output = KinesisOutput("answers", client, SETTINGS, lambda _: None)
    messages = [Message(b"%d" % number, "k") for number in range(4)]
    assert output.write(messages) == []
    assert client.put == [[b"0", b"1", b"2", b"3"], [b"1", b"3"], [b"1"]]


def test_requests_have_500_records_and_5_mb_at_most() -> None:
    client = FakeKinesis()
    output = KinesisOutput("answers", client, SETTINGS, lambda _: None)
    assert output.write([Message(b"x", "k")] * 1_201) == []
    assert output.write([Message(b"x" * (1 << 20) * 1, "")] * 11) == []
    assert [len(one) for one in client.put] == [500, 500, 201, 5, 5, 1]


def test_a_stream_that_cannot_be_written_to_is_a_mistake() -> None:
    client = FakeKinesis(errors=["AccessDeniedException"])
    with pytest.raises(ConfigError, match="AccessDenied") as raised:
        KinesisOutput("answers", client, SETTINGS).write([Message(b"x", "k")])
    assert "PutRecords" in raised.value.hint
