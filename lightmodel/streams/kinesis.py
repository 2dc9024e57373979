"""Both ends of a Kinesis data stream.

Region, credentials and endpoint come from where AWS's libraries look: AWS_DEFAULT_REGION, AWS_PROFILE,
AWS_ACCESS_KEY_ID, the machine's or the function's role, AWS_ENDPOINT_URL.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from lightmodel.config import StreamsSection
from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.streams.base import Message, Record
from lightmodel.streams.retries import Limits, send_with_retries

logger = logging.getLogger(__name__)

LIMITS = Limits(messages=500, bytes=5 << 20, message_bytes=1 << 20)
_READ_INTERVAL_S = 0.2  # a shard may be read five times a second
_READ_RECORDS = 2_000  # at once; they wait in memory until they are asked for
_TRANSIENT = frozenset(
    {
        *("ProvisionedThroughputExceededException", "LimitExceededException"),
        *("InternalFailure", "InternalServerError", "ServiceUnavailable", "RequestTimeout"),
        *("KMSThrottlingException", "ThrottlingException", "Throttling", "RequestTimeoutException"),
    }
)
_RESUME = "AFTER_SEQUENCE_NUMBER"
_BEGIN = {"oldest": "TRIM_HORIZON", "newest": "LATEST"}

Client = Any
"""A client of botocore, which has no types."""


def client_for(settings: StreamsSection) -> Client:
    """Return a client of Kinesis; it connects at its first call.

    Raises:
        ConfigError: the library or the region is missing.
    """
    try:
        import botocore.session  # the half of boto3 that is needed
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError:
        raise ConfigError(
            "kinesis:// streams need botocore, which is not installed",
            hint="pip install -r requirements/kinesis.txt",
        ) from None
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it says where it found credentials
    options = Config(
        connect_timeout=settings.timeout_s,
        read_timeout=settings.timeout_s,
        retries={"total_max_attempts": 1},  # it would repeat what has been taken as well
    )
    try:
        return botocore.session.get_session().create_client("kinesis", config=options)
    except BotoCoreError as error:
        raise ConfigError(
            f"Kinesis cannot be used: {error}", hint="set AWS_DEFAULT_REGION, or AWS_PROFILE"
        ) from None


@contextmanager
def _translated(stream: str) -> Iterator[None]:
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        _raise(stream, error.response["Error"].get("Code", ""), error)
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise SourceUnavailable(
            f"Kinesis does not answer: {type(error).__name__}", hint="try again later"
        ) from error
    except exceptions.BotoCoreError as error:
        raise ConfigError(
            f"Kinesis cannot be used: {error}",
            hint="check AWS_ACCESS_KEY_ID, AWS_PROFILE or the machine's role",
        ) from error


def _raise(stream: str, code: str, error: Exception) -> NoReturn:
    status: int = (
        getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    )
    if code in _TRANSIENT or status >= 500:
        raise SourceUnavailable(
            f"Kinesis refuses for now: {code}", hint="try again later"
        ) from error
    if code == "ResourceNotFoundException":
        raise ConfigError(
            f"there is no Kinesis stream {stream} in this region and account",
            hint=f"check AWS_DEFAULT_REGION, or `aws kinesis create-stream --stream-name {stream}`",
        ) from error
    raise ConfigError(
        f"Kinesis refuses to use the stream {stream}: {code}",
        hint="check the rights of these credentials: kinesis:ListShards, GetShardIterator, GetRecords, "
        "PutRecords",
    ) from error


class KinesisInput:
    """Reads the shards of a stream in turns; a shard's children after the shard itself."""

    def __init__(
        self,
        stream: str,
        client: Client,
        settings: StreamsSection,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream = stream
        self._client = client
        self._begin = _BEGIN[settings.start]
        self._clock, self._sleep = clock, sleep
        self._positions: dict[str, str] = {}
        self._iterators: dict[str, str] = {}  # of the shards that are being read
        self._behind: dict[str, int] = {}  # milliseconds
        self._read_at: dict[str, float] = {}
        self._finished: set[str] = set()
        self._waiting: deque[Record] = deque()
        self._turns: deque[str] = deque()

    def seek(self, positions: Mapping[str, str]) -> None:
        """Go on behind these positions; see `StreamInput`."""
        self._positions = dict(positions)
        self._waiting.clear()
        self._iterators.clear()
        self._finished.clear()
        self._turns.clear()

    def read(self, limit: int) -> list[Record]:
        """Return the next records of one shard; see `StreamInput`."""
        if not self._turns:
            self._list_shards()
        for _ in range(len(self._turns)):
            if self._waiting or not self._turns:
                break
            self._turns.rotate(-1)
            self._fetch(self._turns[-1])
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    @property
    def is_at_end(self) -> bool:
        """Whether every shard has been read to its end."""
        return not self._waiting and all(self._behind.get(shard) == 0 for shard in self._turns)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _list_shards(self) -> None:
        """Find the shards whose turn it is: those without a parent that is still being read."""
        listed = self._listed()
        names = {shard["ShardId"] for shard in listed}
        unfinished = names - self._finished
        turns = [
            shard["ShardId"]
            for shard in listed
            if shard["ShardId"] in unfinished
            and not unfinished & {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")}
        ]
        self._turns = deque(sorted(turns))

    def _listed(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = []
        asked: dict[str, str] = {"StreamName": self._stream}
        while asked:
            with _translated(self._stream):
                page = self._client.list_shards(**asked)
            shards += page["Shards"]
            asked = {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
        return shards

    def _fetch(self, shard: str) -> None:
        """Read a shard once, and let its records wait."""
        if (pause := self._read_at.get(shard, -1.0) + _READ_INTERVAL_S - self._clock()) > 0:
            self._sleep(pause)
        self._read_at[shard] = self._clock()
        answer = self._records(shard)
        for raw in answer["Records"]:
            arrived = raw.get("ApproximateArrivalTimestamp")
            record = Record(
                raw["Data"],
                shard,
                raw["SequenceNumber"],
                raw["PartitionKey"],
                arrived.timestamp() if arrived else None,
            )
            self._positions[shard] = record.position
            self._waiting.append(record)
        self._behind[shard] = answer.get("MillisBehindLatest", 0)
        if following := answer.get("NextShardIterator"):
            self._iterators[shard] = following
        else:
            self._finish(shard)

    def _records(self, shard: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        iterator = self._iterators.get(shard) or self._iterator(shard)
        with _translated(self._stream):
            try:
                answer = self._client.get_records(ShardIterator=iterator, Limit=_READ_RECORDS)
            except ClientError as error:
                if error.response["Error"].get("Code") != "ExpiredIteratorException":
                    raise
                iterator = self._iterator(shard)
                answer = self._client.get_records(ShardIterator=iterator, Limit=_READ_RECORDS)
        found: dict[str, Any] = answer
        return found

    def _iterator(self, shard: str) -> str:
        asked = {"StreamName": self._stream, "ShardId": shard, "ShardIteratorType": self._begin}
        if position := self._positions.get(shard):
            asked |= {"ShardIteratorType": _RESUME, "StartingSequenceNumber": position}
        with _translated(self._stream):
            iterator: str = self._client.get_shard_iterator(**asked)["ShardIterator"]
        return iterator

    def _finish(self, shard: str) -> None:
        """Let the children of a closed shard be read, from their beginning."""
        logger.info("the shard %s is closed and read to its end", shard)
        self._finished.add(shard)
        self._iterators.pop(shard, None)
        self._begin = _BEGIN["oldest"]
        self._list_shards()


class KinesisOutput:
    """Writes to a stream by PutRecords."""

    largest = LIMITS.message_bytes

    def __init__(
        self,
        stream: str,
        client: Client,
        settings: StreamsSection,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream = stream
        self._client = client
        self._retries = settings.retries
        self._sleep = sleep

    def write(self, messages: Sequence[Message]) -> list[int]:
        """Write messages; see `StreamOutput`."""
        return send_with_retries(messages, LIMITS, self._put, self._retries, self._sleep)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _put(self, messages: Sequence[Message]) -> list[int]:
        """Send one request; return the places of the messages that Kinesis did not take."""
        records = [{"Data": one.data, "PartitionKey": _key(one.key)} for one in messages]
        try:
            with _translated(self._stream):
                answer = self._client.put_records(StreamName=self._stream, Records=records)
        except SourceUnavailable as error:
            logger.warning("%s: %s", self._stream, error.message)
            return list(range(len(messages)))
        if not answer.get("FailedRecordCount"):
            return []
        return [at for at, one in enumerate(answer["Records"]) if one.get("ErrorCode")]


def _key(key: str) -> str:
    """Return a partition key that Kinesis takes: 1 to 256 characters."""
    return key[:256] or "-"
