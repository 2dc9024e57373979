"""Both ends of a Kafka topic, or one of any broker that speaks Kafka's protocol, by librdkafka."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lightmodel.config import StreamsSection
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.streams.base import Message, Record
from lightmodel.streams.retries import Limits, send_with_retries

logger = logging.getLogger(__name__)

LIMITS = Limits(messages=10_000, bytes=64 << 20, message_bytes=1_000_000)
_POLL_S = 0.2
_GROUP = "light-model"  # librdkafka wants one; positions are kept in the checkpoints


def _library() -> Any:  # noqa: ANN401 — it has no types
    try:
        import confluent_kafka
    except ModuleNotFoundError:
        raise ConfigError(
            "kafka:// streams need confluent-kafka, which is not installed",
            hint="pip install -r requirements/kafka.txt",
        ) from None
    return confluent_kafka


def _options(brokers: str, settings: StreamsSection, **own: object) -> dict[str, object]:
    options: dict[str, object] = {**settings.kafka, "bootstrap.servers": brokers, **own}
    if settings.kafka_password:
        options["sasl.password"] = settings.kafka_password.get_secret_value()
    return {**options, "log_level": 3, "error_cb": _log_error}


def _log_error(error: Any) -> None:  # noqa: ANN401 — KafkaError has no types
    logger.warning("Kafka: %s", error.str())


def _opened(make: Callable[[dict[str, object]], Any], options: dict[str, object]) -> Any:  # noqa: ANN401
    try:
        return make(options)
    except _library().KafkaException as error:
        raise ConfigError(
            f"librdkafka does not take its options: {error.args[0].str()}", hint="see streams.kafka"
        ) from None


class KafkaInput:
    """Reads all partitions of a topic; their positions are offsets."""

    def __init__(self, brokers: str, topic: str, settings: StreamsSection) -> None:
        self._kafka = _library()
        self._topic, self._timeout_s = topic, settings.timeout_s
        self._start = (
            self._kafka.OFFSET_BEGINNING if settings.start == "oldest" else self._kafka.OFFSET_END
        )
        options = _options(
            brokers,
            settings,
            **{
                "group.id": _GROUP,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",  # what was deleted unread is an error, and no silence
                "queued.max.messages.kbytes": 16 << 10,
            },
        )
        self._consumer = _opened(self._kafka.Consumer, options)
        self._positions: dict[str, str] = {}
        self._at_end: dict[str, bool] = {}

    def seek(self, positions: Mapping[str, str]) -> None:
        """Go on behind these offsets; see `StreamInput`."""
        self._positions = dict(positions)
        self._at_end.clear()

    def read(self, limit: int) -> list[Record]:
        """Return the next records of all partitions; see `StreamInput`."""
        if not self._at_end:
            self._assign()
        records = []
        for message in self._consumer.consume(limit, _POLL_S):
            if error := message.error():
                self._note(message, error)
                continue
            self._at_end[str(message.partition())] = False
            records.append(_record(message))
        return records

    @property
    def is_at_end(self) -> bool:
        """Whether every partition has been read to its end."""
        return bool(self._at_end) and all(self._at_end.values())

    def close(self) -> None:
        """Let go of connections."""
        self._consumer.close()

    def _assign(self) -> None:
        try:
            metadata = self._consumer.list_topics(self._topic, self._timeout_s)
        except self._kafka.KafkaException as error:
            raise SourceUnavailable(
                f"Kafka does not answer: {error.args[0].str()}", hint="check streams.input"
            ) from None
        topic = metadata.topics[self._topic]
        if topic.error is not None or not topic.partitions:
            reason = "" if topic.error is None else f": {topic.error.str()}"
            raise ConfigError(
                f"the topic {self._topic} cannot be read{reason}",
                hint="create it, or check its name",
            )
        self._at_end = dict.fromkeys(map(str, topic.partitions), False)
        self._consumer.assign(
            [
                self._kafka.TopicPartition(self._topic, int(shard), self._offset(shard))
                for shard in self._at_end
            ]
        )

    def _offset(self, shard: str) -> int:
        position = self._positions.get(shard)
        return int(self._start) if position is None else int(position) + 1

    def _note(self, message: Any, error: Any) -> None:  # noqa: ANN401 — confluent_kafka has no types
        code = self._kafka.KafkaError
        if error.code() == code._PARTITION_EOF:
            self._at_end[str(message.partition())] = True
        elif error.code() == code._AUTO_OFFSET_RESET:
            raise ConfigError(
                f"the topic {self._topic} no longer has the records behind the checkpoint",
                hint="delete the file of the checkpoints: reading then begins where streams.start says",
            )
        else:
            logger.warning("Kafka: %s", error.str())


def _record(message: Any) -> Record:  # noqa: ANN401 — confluent_kafka has no types
    kind, milliseconds = message.timestamp()
    return Record(
        message.value() or b"",
        str(message.partition()),
        str(message.offset()),
        (message.key() or b"").decode("utf-8", "replace"),
        milliseconds / 1e3 if kind else None,
    )


class KafkaOutput:
    """Writes to a topic by an idempotent producer, which keeps the order of each key."""

    largest = LIMITS.message_bytes

    def __init__(
        self,
        brokers: str,
        topic: str,
        settings: StreamsSection,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._kafka = _library()
        self._topic, self._timeout_s = topic, settings.timeout_s
        self._retries, self._sleep = settings.retries, sleep
        own = {
            "enable.idempotence": True,
            "linger.ms": 5,
            "delivery.timeout.ms": int(settings.timeout_s * 1e3),
            "message.max.bytes": LIMITS.message_bytes + 4096,
        }
        self._producer = _opened(self._kafka.Producer, _options(brokers, settings, **own))

    def write(self, messages: Sequence[Message]) -> list[int]:
        """Write messages; see `StreamOutput`."""
        return send_with_retries(messages, LIMITS, self._produce, self._retries, self._sleep)

    def close(self) -> None:
        """Let go of connections."""
        self._producer.flush(self._timeout_s)

    def _produce(self, messages: Sequence[Message]) -> list[int]:
        """Send messages; return the places of those that no broker has acknowledged in time."""
        unwritten = set(range(len(messages)))

        def note(at: int, error: Any, _: object) -> None:  # noqa: ANN401 — KafkaError has no types
            if error is None:
                unwritten.discard(at)
            else:
                logger.warning("%s: %s", self._topic, error.str())

        for at, message in enumerate(messages):
            while True:
                try:
                    self._producer.produce(
                        self._topic, message.data, message.key, on_delivery=partial(note, at)
                    )
                    break
                except BufferError:  # the queue is full
                    self._producer.poll(_POLL_S)
                except self._kafka.KafkaException as error:
                    raise SourceUnavailable(
                        f"Kafka's producer has failed: {error.args[0].str()}", hint="start it again"
                    ) from None
        # Each message is delivered or given up within delivery.timeout.ms.
        self._producer.flush()
        return sorted(unwritten)
