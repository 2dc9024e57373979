"""The notifier: events in, messages into the spool, and a second process that delivers them."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lightmodel.config import Config
from lightmodel.config.environment import child_environment
from lightmodel.errors import LightModelError
from lightmodel.notify.channels import Channel, channels_of
from lightmodel.notify.events import Event
from lightmodel.notify.spool import Spool, SpooledMessage, deliver

logger = logging.getLogger(__name__)

_COMMAND = (sys.executable, "-m", "lightmodel", "notify", "--spooled", "--config", os.devnull)


def spool_of(config: Config) -> Spool:
    """Return the spool of the messages that were not delivered yet."""
    return Spool(config.store.work / "notify")


class Notifier:
    """Notifies the receivers of events. It never raises, and never waits longer than their timeouts.

    apprise takes a second to import, and a channel may hang: so messages go into the spool, and a second
    process delivers them. What it could not deliver stays there for the next command.
    """

    def __init__(self, config: Config, channels: Sequence[Channel]) -> None:
        self._config, self._channels = config, channels
        self._spool = spool_of(config)
        self._sent: list[tuple[Path, Channel]] = []
        self._processes: list[subprocess.Popen[bytes]] = []

    def has_receivers(self, event: str) -> bool:
        """Return whether anybody is notified of the events of this name."""
        return any(event in channel.events for channel in self._channels)

    def send(self, event: Event) -> None:
        """Notify the receivers of an event, in the background."""
        try:
            if self._put(event):
                self._start()
        except (LightModelError, OSError) as error:
            logger.warning("nobody is notified of %r: %s", event.name, error)

    def send_and_wait(self, event: Event) -> None:
        """Notify the receivers of an event, and wait as `wait` does."""
        self.send(event)
        self.wait()

    def put(self, event: Event) -> None:
        """Notify the receivers of an event when `deliver` is called."""
        self._put(event)

    def _put(self, event: Event) -> bool:
        """Put the messages of an event into the spool; return whether there are any."""
        title = f"{self._config.deploy.name}: {event.title}"
        chosen = [channel for channel in self._channels if event.name in channel.events]
        for channel in chosen:
            path = self._spool.put(SpooledMessage(channel.name, title, event.body))
            self._sent.append((path, channel))
        return bool(chosen)

    def deliver(self) -> set[str]:
        """Deliver what is in the spool, and return the names of the channels that failed."""
        self._sent.clear()
        return deliver(self._spool, self._channels)

    def _start(self) -> None:
        sections = {name: getattr(self._config, name) for name in ("notify", "store", "deploy")}
        self._processes.append(
            subprocess.Popen(  # noqa: S603 — our own command
                _COMMAND,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=child_environment(sections),
                start_new_session=True,  # Ctrl-C is for the run
            )
        )

    def wait(self) -> None:
        """Wait until the messages are delivered, at most for the longest timeout of their receivers."""
        if not self._sent:
            with suppress(OSError):
                if self._channels and self._spool.files():  # of an earlier command
                    self._start()
            return
        ends = time.monotonic() + max(channel.timeout_s for _, channel in self._sent)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, ends - time.monotonic()))
        late = sorted({channel.name for path, channel in self._sent if path.exists()})
        if late:
            logger.warning("not notified yet: %s; the next command tries again", "; ".join(late))
        self._sent.clear()
        self._processes = [one for one in self._processes if one.poll() is None]


def open_notifier(config: Config, *, strict: bool = False) -> Notifier:
    """Return a notifier of the receivers in the settings; see `channels_of` for `strict`."""
    return Notifier(config, channels_of(config, strict=strict))
