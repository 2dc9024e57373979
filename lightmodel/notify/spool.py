"""The spool: messages that were not accepted yet, a file each, so that the next command sends them."""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lightmodel.files import file_lock, translate_os_errors, write_atomic
from lightmodel.notify.channels import Channel

MOST_MESSAGES = 100
KEPT_S = 24 * 3600.0
_LONGEST_DELIVERY_S = 60.0


@dataclass(frozen=True)
class SpooledMessage:
    """A message for one channel, which is named by its place in the settings, for URLs are secret."""

    channel: str
    title: str
    body: str
    time: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Spool:
    """A folder of messages; it keeps the newest ones, for a day."""

    folder: Path

    def put(self, message: SpooledMessage) -> Path:
        """Add a message, delete those that are too old or too many, and return its file.

        Raises:
            StorageFull, ConfigError: it cannot be written.
        """
        path = self.folder / f"{time.time_ns():020d}-{secrets.token_hex(3)}.json"
        with translate_os_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(message)).encode())
        for old in self.files()[:-MOST_MESSAGES]:
            old.unlink(missing_ok=True)
        return path

    def files(self) -> list[Path]:
        """Return the files of all messages, oldest first."""
        return sorted(self.folder.glob("*.json"))

    def read(self, path: Path) -> SpooledMessage | None:
        """Return a message; None for a damaged or old one, which is deleted, or one that is gone."""
        with suppress(OSError, ValueError, TypeError):
            message = SpooledMessage(**json.loads(path.read_bytes()))
            if time.time() - message.time < KEPT_S:
                return message
        path.unlink(missing_ok=True)
        return None

    def lock(self) -> AbstractContextManager[object]:
        """Let one process deliver at a time."""
        return file_lock(self.folder / ".lock")


def deliver(
    spool: Spool, channels: Iterable[Channel], clock: Callable[[], float] = time.monotonic
) -> set[str]:
    """Send what is in the spool, oldest first, and return the names of the channels that failed.

    A channel that fails is not tried again this time, and after a minute nothing more is tried.
    """
    by_name = {channel.name: channel for channel in channels}
    failed: set[str] = set()
    ends = clock() + _LONGEST_DELIVERY_S
    with spool.lock():
        for path in spool.files():
            message = spool.read(path)
            if message is None or message.channel in failed or clock() > ends:
                continue
            channel = by_name.get(message.channel)
            if channel and not channel.send(message.title, message.body):
                failed.add(channel.name)
            else:
                path.unlink(missing_ok=True)
    return failed
