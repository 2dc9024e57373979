"""The channels of the receivers: each sends messages to one URL of apprise."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec

from lightmodel.config import Config
from lightmodel.config.environment import filled_in
from lightmodel.config.notification import Receiver
from lightmodel.errors import ConfigError

logger = logging.getLogger(__name__)

_NOT_INSTALLED = ConfigError(
    "notifications need apprise, which is not installed",
    hint="`pip install -r requirements/notify.txt`",
)


@dataclass(frozen=True)
class Channel:
    """One URL of a receiver; its name, such as "[[notify]] 1, URL 2 (slack)", holds no secret."""

    name: str
    url: str = field(repr=False)
    events: frozenset[str]
    timeout_s: float

    def send(self, title: str, body: str) -> bool:
        """Return whether the channel accepted a message; it has at most `timeout_s` seconds."""
        import apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its log lines quote URLs
        sender = apprise.Apprise()
        return bool(sender.add(self.url) and sender.notify(body, title, timeout=self.timeout_s))


def channels_of(config: Config, *, strict: bool = False) -> tuple[Channel, ...]:
    """Return the channels of all receivers; if one cannot be used, there are none, which costs a warning.

    With `strict` that is an error, and apprise reads each URL, which takes a second.

    Raises:
        ConfigError: with `strict`; apprise is missing, or a URL, which is named by its number only.
    """
    channels: list[Channel] = []
    try:
        for number, receiver in enumerate(config.notify.receivers, 1):
            channels += _channels(f"[[notify]] {number}", receiver)
        channels += _former_channels(config)
        if channels and find_spec("apprise") is None:
            raise _NOT_INSTALLED
        if channels and strict:
            _check(channels)
    except ConfigError as error:
        if strict:
            raise
        logger.warning("nobody is notified: %s (%s)", error.message, error.hint)
        return ()
    return tuple(channels)


def _channels(name: str, receiver: Receiver) -> Iterator[Channel]:
    for number, url in enumerate(_lines("\n".join(map(filled_in, receiver.urls))), 1):
        yield _channel(f"{name}, URL {number}", url, frozenset(receiver.events), receiver.timeout_s)


def _former_channels(config: Config) -> Iterator[Channel]:
    former, every = config.notify, frozenset(Receiver.model_fields["events"].default)
    for number, url in enumerate(_lines(former.urls.get_secret_value() if former.urls else ""), 1):
        yield _channel(f"notify.urls, line {number}", url, every, former.timeout_s)


def _channel(name: str, url: str, events: frozenset[str], timeout_s: float) -> Channel:
    return Channel(f"{name} ({url.partition(':')[0]})", url, events, timeout_s)


def _lines(text: str) -> list[str]:
    """Return the lines of a text without blank ones and comments."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _check(channels: list[Channel]) -> None:
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    unreadable = [one.name for one in channels if not apprise.Apprise().add(one.url)]
    if unreadable:
        raise ConfigError(
            f"apprise cannot read {', '.join(unreadable)}",
            hint="apprise's documentation lists the form of every URL",
        )
