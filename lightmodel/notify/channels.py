"""The channels of the receivers: each sends messages to one URL of apprise."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
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
# No other text before a colon is shown: it may be a secret. apprise knows all schemes, and takes a second.
_SHOWN_SCHEME = re.compile(
    r"(discord|gotifys?|jsons?|mailtos?|matrixs?|mmosts?|ntfys?|pagerduty|pover|ses|slack|sns|tgram|twilio"
    r"|workflows?|wxteams|xmls?)://",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Channel:
    """One URL of a receiver.

    Attributes:
        name: its place in the settings and a common scheme, such as "[[notify]] 1, URL 2 (slack)"; no
            other part of its URL.
        key: finds it again for messages that wait, also when its table has moved or its variable of the
            environment was corrected.
    """

    name: str
    key: str
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
    return tuple(_with_distinct_keys(channels))


def _channels(name: str, receiver: Receiver) -> Iterator[Channel]:
    number, events = 0, frozenset(receiver.events)
    for written in receiver.urls:
        # Without its scheme: `json` is often corrected to `jsons`. Hashed, for it may hold a secret.
        digest = hashlib.sha256((written.partition("://")[2] or written).encode()).hexdigest()
        for line, url in enumerate(_lines(filled_in(written)), 1):
            number, key = number + 1, f"{digest[:16]} line {line}"
            yield _channel(f"{name}, URL {number}", key, url, events, receiver.timeout_s)


def _former_channels(config: Config) -> Iterator[Channel]:
    former, every = config.notify, frozenset(Receiver.model_fields["events"].default)
    for number, url in enumerate(_lines(former.urls.get_secret_value() if former.urls else ""), 1):
        name = f"notify.urls, line {number}"
        yield _channel(name, name, url, every, former.timeout_s)


def _channel(name: str, key: str, url: str, events: frozenset[str], timeout_s: float) -> Channel:
    scheme = _SHOWN_SCHEME.match(url)
    shown = f" ({scheme[1].lower()})" if scheme else ""
    return Channel(f"{name}{shown}", key, url, events, timeout_s)


def _with_distinct_keys(channels: Iterable[Channel]) -> Iterator[Channel]:
    """Number channels that are written alike, so that each gets its own messages."""
    seen: Counter[str] = Counter()
    for channel in channels:
        seen[channel.key] += 1
        yield replace(channel, key=f"{channel.key} no. {seen[channel.key]}")


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
            hint="a URL begins with its scheme, such as slack://; apprise's documentation lists the form "
            "of each",
        )
