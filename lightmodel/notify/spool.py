"""The spool: messages that were not accepted yet, a file each, so that a later command sends them."""

import json
import logging
import secrets
import time
from collections.abc import Callable, Container, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lightmodel.files import file_lock, translate_os_errors, write_atomic
from lightmodel.notify.channels import Channel

logger = logging.getLogger(__name__)

MOST_MESSAGES = 100
KEPT_S = 24 * 3600.0
_LONGEST_DELIVERY_S = 60.0


@dataclass(frozen=True)
class SpooledMessage:
    """A message for the channel with this key, for URLs are secret."""

    channel: str
    title: str
    body: str
    time: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Spool:
    """A folder of messages; it keeps the newest ones, for a day."""

    folder: Path

    def put(self, message: SpooledMessage) -> Path:
        """Add a message, delete the oldest of too many, and return its file.

        Raises:
            StorageFull, ConfigError: it cannot be written.
        """
        path = self.folder / f"{time.time_ns():020d}-{secrets.token_hex(3)}.json"
        with translate_os_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(message)).encode())
        too_many = self.files()[:-MOST_MESSAGES]
        for old in too_many:
            old.unlink(missing_ok=True)
        if too_many:
            logger.warning(
                "more than %d notifications wait: the oldest one is deleted", MOST_MESSAGES
            )
        return path

    def files(self) -> list[Path]:
        """Return the files of all messages, oldest first."""
        return sorted(self.folder.glob("*.json"))

    def read(self, path: Path) -> SpooledMessage | None:
        """Return a message; None for a damaged or old one, which is deleted, or an unreadable file."""
        try:
            content = path.read_bytes()
        except OSError:  # delivered meanwhile, or the disk fails for a while only
            return None
        with suppress(ValueError, TypeError):
            message = SpooledMessage(**json.loads(content))
            if time.time() - message.time < KEPT_S:
                return message
            logger.warning("deleted, as nobody accepted it for a day: %r", message.title)
        path.unlink(missing_ok=True)
        return None

    def holds_any(self, keys: Container[str]) -> bool:
        """Return whether a message waits for one of these channels."""
        messages = map(self.read, self.files())
        return any(message is not None and message.channel in keys for message in messages)

    def lock(self) -> AbstractContextManager[object]:
        """Let one process deliver at a time."""
        return file_lock(self.folder / ".lock")


def deliver(
    spool: Spool, channels: Iterable[Channel], clock: Callable[[], float] = time.monotonic
) -> set[str]:
    """Send what is in the spool, oldest first, and return the names of the channels that failed.

    A channel that fails is not tried again this time, and after a minute nothing more is tried. Messages
    for other channels stay: other settings may share the folder, or their receiver comes back.
    """
    by_key = {channel.key: channel for channel in channels}
    failed: set[str] = set()
    ends = clock() + _LONGEST_DELIVERY_S
    with spool.lock():
        for path in spool.files():
            message = spool.read(path)
            channel = by_key.get(message.channel) if message else None
            if message is None or channel is None or channel.name in failed or clock() > ends:
                continue
            if channel.send(message.title, message.body):
                path.unlink(missing_ok=True)
            else:
                failed.add(channel.name)
    return failed
