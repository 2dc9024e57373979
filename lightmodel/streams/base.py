"""The protocols of both ends of a stream, and the records that go through them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Record:
    """One record as it arrived.

    Attributes:
        data: one JSON record, or JSON Lines.
        shard: the shard, partition or message group within which the order is kept; "" if there is none.
        position: sequence number or offset in the shard, or message id.
        key: the partition key that it was put with.
        arrived: when the stream received it, in seconds since 1970; None if that is not known.
    """

    data: bytes
    shard: str
    position: str
    key: str = ""
    arrived: float | None = None

    @property
    def name(self) -> str:
        """The name of the record, unique in its stream."""
        return f"{self.shard}:{self.position}" if self.shard else self.position


@dataclass(frozen=True)
class Message:
    """One record to write; `key` is its partition key, for messages whose order shall be kept."""

    data: bytes
    key: str

    @property
    def size(self) -> int:
        """The number of bytes that count for a stream's limits."""
        return len(self.data) + len(self.key.encode())


class StreamInput(Protocol):
    """The end of a stream that is read.

    Records of one shard come in their order, and none is left out. Nothing is fetched ahead of `read`
    beyond one response of the service, so that a slow reader fills no memory. The first call connects.
    Methods raise SourceUnavailable where a later call may succeed, and ConfigError where somebody has to
    change something first: the stream, credentials, rights, a library.
    """

    def seek(self, positions: Mapping[str, str]) -> None:
        """Go on behind these positions, by shard; other shards begin where streams.start says."""
        ...

    def read(self, limit: int) -> Sequence[Record]:
        """Return the next records, at most `limit`; none if there is nothing new yet."""
        ...

    @property
    def is_at_end(self) -> bool:
        """Whether everything that was in the stream at the last `read` has been returned."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class StreamOutput(Protocol):
    """The end of a stream that is written.

    `write` returns when the service has stored the messages, and tries again those that were not taken,
    and only those. Messages with the same key are stored in their order, as long as all are taken at the
    first try. It raises ConfigError where somebody has to change something first.

    Attributes:
        largest: the most bytes of a message, its key included.
    """

    largest: int

    def write(self, messages: Sequence[Message]) -> Sequence[int]:
        """Write messages; return the places of those that were not taken at any try."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
