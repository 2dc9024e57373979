"""The contract of both ends of a stream (`lightmodel.streams.base`), run over all of them."""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import pytest

from benchmarks.ports import free_port
from lightmodel.config import StreamsSection
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.streams.base import Message, Record, StreamInput
from lightmodel.streams.factory import open_input, open_output
from tests.fakes import clouds, kafka
from tests.fakes.waiting import wait_until

Pairs = Sequence[tuple[bytes, str]]
SETTINGS = StreamsSection(timeout_s=60)
QUICK = StreamsSection(timeout_s=1, retries=0)


@dataclass(frozen=True)
class Service:
    """A service with streams.

    Attributes:
        make: makes an empty stream of so many shards, and returns its address.
        put: puts data with their keys into the stream at an address.
        stored: returns what is in it, shard by shard.
        dead: the address of a stream of a service that does not answer.
    """

    make: Callable[[int], str]
    put: Callable[[str, Pairs], None]
    stored: Callable[[str], list[tuple[bytes, str]]]
    dead: str


def _name(address: str) -> str:
    return address.rpartition("/")[2]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with clouds.moto() as endpoint:
        yield endpoint


@pytest.fixture
def kinesis(moto: str, monkeypatch: pytest.MonkeyPatch) -> Service:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in clouds.aws_environment(moto).items():
        monkeypatch.setenv(name, value)

    def make(shards: int) -> str:
        name = uuid.uuid4().hex
        clouds.make_stream(moto, name, shards)
        return f"kinesis://{name}"

    return Service(
        make,
        lambda address, pairs: clouds.put_records(moto, _name(address), pairs),
        lambda address: clouds.records_in(moto, _name(address)),
        "kinesis://nobody",
    )


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with kafka.broker() as address:
        yield address


@pytest.fixture
def topics(broker: str) -> Service:
    def make(shards: int) -> str:
        name = uuid.uuid4().hex
        kafka.make_topic(broker, name, shards)
        return f"kafka://{broker}/{name}"

    return Service(
        make,
        lambda address, pairs: kafka.produce(broker, _name(address), [*pairs]),
        lambda address: kafka.messages_in(broker, _name(address)),
        f"kafka://127.0.0.1:{free_port()}/nobody",
    )


@pytest.fixture(
    params=[
        pytest.param("kinesis", marks=pytest.mark.aws),
        pytest.param("topics", marks=pytest.mark.kafka),
    ]
)
def service(request: pytest.FixtureRequest) -> Service:
    made: Service = request.getfixturevalue(request.param)
    return made


def pairs_of(count: int, start: int = 0) -> list[tuple[bytes, str]]:
    return [(b"%d" % number, f"key{number % 7}") for number in range(start, start + count)]


def read_all(source: StreamInput, limit: int = 40) -> list[Record]:
    """Return everything until the end of the stream."""
    found: list[Record] = []

    def is_read() -> bool:
        records = source.read(limit)
        assert len(records) <= limit
        found.extend(records)
        return not records and source.is_at_end

    wait_until(is_read, "the end of the stream")
    return found


def data_by_key(pairs: Pairs) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for data, key in pairs:
        found.setdefault(key, []).append(data)
    return found


@pytest.mark.parametrize("shards", [1, 3])
def test_all_records_come_once_in_the_order_of_their_shard(service: Service, shards: int) -> None:
    address, pairs = service.make(shards), pairs_of(200)
    service.put(address, pairs)
    with closing(open_input(address, SETTINGS)) as source:
        source.seek({})
        records = read_all(source)
    assert data_by_key([(one.data, one.key) for one in records]) == data_by_key(pairs)
    assert len({one.name for one in records}) == 200
    assert len({one.shard for one in records}) == shards
    assert all(one.arrived is not None and one.arrived > 1.5e9 for one in records)


def test_reading_goes_on_behind_a_position(service: Service) -> None:
    address = service.make(2)
    service.put(address, pairs_of(100))
    with closing(open_input(address, SETTINGS)) as source:
        source.seek({})
        first = read_all(source)
    kept, seen = {one.shard: one.position for one in first[:60]}, {one.name for one in first[:60]}
    service.put(address, pairs_of(30, start=100))
    with closing(open_input(address, SETTINGS)) as source:
        source.seek(kept)
        rest = read_all(source)
    assert seen.isdisjoint(one.name for one in rest)
    assert sorted(int(one.data) for one in [*first[:60], *rest]) == list(range(130))


def test_what_arrives_later_is_read_by_the_same_end(service: Service) -> None:
    address = service.make(1)
    with closing(open_input(address, SETTINGS)) as source:
        source.seek({})
        for start in (0, 10):
            service.put(address, pairs_of(10, start))
            assert [int(one.data) for one in read_all(source)] == list(range(start, start + 10))


def test_the_newest_records_alone_are_read_if_asked(service: Service) -> None:
    address = service.make(1)
    service.put(address, pairs_of(5))
    newest = SETTINGS.model_copy(update={"start": "newest"})
    with closing(open_input(address, newest)) as source:
        source.seek({})
        assert read_all(source) == []
        service.put(address, pairs_of(3, start=5))
        found: list[Record] = []

        def is_read() -> bool:
            found.extend(source.read(10))
            return len(found) >= 3

        wait_until(is_read, "new records")
    assert [one.data for one in found] == [b"5", b"6", b"7"]


def test_messages_are_stored_in_the_order_of_their_key(service: Service) -> None:
    address, pairs = service.make(3), pairs_of(1_300)
    output = open_output(address, SETTINGS)
    assert output is not None
    with closing(output):
        assert list(output.write([Message(data, key) for data, key in pairs])) == []
    assert data_by_key(service.stored(address)) == data_by_key(pairs)


def test_large_messages_are_stored(service: Service) -> None:
    address = service.make(1)
    output = open_output(address, SETTINGS)
    assert output is not None
    messages = [Message(b"x" * (output.largest - 1), "k") for _ in range(7)]
    with closing(output):
        assert list(output.write(messages)) == []
    assert [len(data) for data, _ in service.stored(address)] == [output.largest - 1] * 7


def test_a_service_that_does_not_answer_is_unavailable(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with closing(open_input(service.dead, QUICK)) as source:
        source.seek({})
        with pytest.raises(SourceUnavailable):
            source.read(1)
    output = open_output(service.dead, QUICK)
    assert output is not None
    with closing(output):
        assert list(output.write([Message(b"a", "k"), Message(b"b", "k")])) == [0, 1]


def test_a_stream_that_is_not_there_is_a_mistake(service: Service) -> None:
    missing = service.make(1)[:-3] + "zzz"
    with closing(open_input(missing, SETTINGS)) as source:
        source.seek({})
        with pytest.raises(ConfigError):
            source.read(1)


def test_a_test_run_has_no_output() -> None:
    assert open_output("kinesis://a", StreamsSection(test_run=True)) is None
    assert open_output("", SETTINGS) is None
