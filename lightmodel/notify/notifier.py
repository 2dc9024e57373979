"""The notifier: events in, messages into the spool, and a second process that delivers them."""

import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from lightmodel.config import Config
from lightmodel.config.environment import child_environment
from lightmodel.errors import LightModelError
from lightmodel.notify.channels import Channel, channels_of
from lightmodel.notify.events import Event
from lightmodel.notify.spool import Spool, SpooledMessage, deliver

logger = logging.getLogger(__name__)

_RETRY_INTERVAL_S = 60.0
_COMMAND = (sys.executable, "-m", "lightmodel", "notify", "--spooled", "--config", os.devnull)


def spool_of(config: Config) -> Spool:
    """Return the spool of the messages that were not delivered yet."""
    return Spool(config.store.work / "notify")


class Notifier:
    """Notifies the receivers of events. It never raises, and never waits longer than their timeouts.

    apprise takes a second to import, and a channel may hang: so messages go into the spool, and a second
    process delivers them. What it could not deliver stays there for `retry`, also that of later commands.
    """

    def __init__(
        self,
        config: Config,
        channels: Sequence[Channel],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._channels, self._clock = config, channels, clock
        self._spool = spool_of(config)
        self._sent: list[tuple[Path, Channel]] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._next_retry = -math.inf

    def has_receivers(self, event: str) -> bool:
        """Return whether anybody is notified of the events of this name."""
        return any(event in channel.events for channel in self._channels)

    def send(self, event: Event) -> bool:
        """Notify the receivers of an event, in the background; return whether a message for each is kept.

        It is False if there is no receiver, or if the messages cannot be written.
        """
        try:
            is_kept = self.put(event)
        except (LightModelError, OSError) as error:
            logger.warning("nobody is notified of %r: %s", event.name, error)
            return False
        if is_kept:
            self._start()
        return is_kept

    def send_and_wait(self, event: Event) -> bool:
        """Notify the receivers of an event as `send` does, and wait as `wait` does."""
        is_kept = self.send(event)
        self.wait()
        return is_kept

    def put(self, event: Event) -> bool:
        """Keep the messages of an event for `deliver`, all or none; return whether it has receivers.

        Raises:
            StorageFull, ConfigError: they cannot be written.
        """
        title = f"{self._config.deploy.name}: {event.title}"
        kept: list[tuple[Path, Channel]] = []
        try:
            for channel in self._channels:
                if event.name in channel.events:
                    message = SpooledMessage(channel.key, title, event.body)
                    kept.append((self._spool.put(message), channel))
        except (LightModelError, OSError):
            for path, _ in kept:  # the event will come again
                path.unlink(missing_ok=True)
            raise
        self._sent += kept
        return bool(kept)

    def deliver(self) -> set[str]:
        """Deliver what is in the spool, and return the names of the channels that failed."""
        self._sent.clear()
        return deliver(self._spool, self._channels)

    def retry(self) -> None:
        """Deliver in the background what no receiver has accepted so far, once a minute at most."""
        self._forget_ended()
        if self._processes or self._clock() < self._next_retry:
            return
        with suppress(OSError):
            if self._spool.holds_any({channel.key for channel in self._channels}):
                self._start()

    def _start(self) -> None:
        self._next_retry = self._clock() + _RETRY_INTERVAL_S
        sections = {name: getattr(self._config, name) for name in ("notify", "store", "deploy")}
        try:
            process = subprocess.Popen(  # noqa: S603 — our own command
                _COMMAND,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=child_environment(sections),
                start_new_session=True,  # Ctrl-C is for the run
            )
        except OSError as error:
            logger.warning("notifications wait, for no process can be started: %s", error.strerror)
        else:
            self._processes.append(process)

    def _forget_ended(self) -> None:
        self._processes = [one for one in self._processes if one.poll() is None]

    def wait(self) -> None:
        """Wait until the messages are delivered, at most for the longest timeout of their receivers.

        If there are none, `retry` those of earlier commands.
        """
        if not self._sent:
            self.retry()
            return
        ends = time.monotonic() + max(channel.timeout_s for _, channel in self._sent)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, ends - time.monotonic()))
        late = sorted({channel.name for path, channel in self._sent if path.exists()})
        if late:
            logger.warning("not notified yet: %s; they are tried again later", "; ".join(late))
        self._sent.clear()
        self._forget_ended()


def open_notifier(config: Config, *, strict: bool = False) -> Notifier:
    """Return a notifier of the receivers in the settings; see `channels_of` for `strict`."""
    return Notifier(config, channels_of(config, strict=strict))
