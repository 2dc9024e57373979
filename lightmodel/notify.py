"""Notifications: to the log, and through apprise to mail, Slack, Teams, Telegram, webhooks and more."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from lightmodel.errors import ConfigError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notifier:
    """Sends notifications to the log and to each of the apprise URLs, which hold secrets.

    A channel that fails or hangs costs a warning and at most `timeout_s` seconds, never an exception.
    Warnings hold no secret.
    """

    urls: Sequence[str]
    timeout_s: float

    def send(self, title: str, body: str) -> bool:
        """Send a message on every channel; return False if one of them did not accept it."""
        logger.info("%s: %s", title, body)
        all_sent = True
        for number, url in enumerate(self.urls, start=1):
            import apprise

            channel = apprise.Apprise()
            scheme = url.partition(":")[0]
            text = body or title  # apprise sends nothing without a body
            if not channel.add(url) or not channel.notify(text, title, timeout=self.timeout_s):
                logger.warning("notify.urls, line %d (%s): not accepted: %s", number, scheme, title)
                all_sent = False
        return all_sent


def open_notifier(urls: Sequence[str], timeout_s: float) -> Notifier:
    """Return a notifier for these apprise URLs, whose `timeout_s` holds for each channel.

    Raises:
        ConfigError: apprise is not installed, or cannot read a URL, which is named by its line only.
    """
    if urls:
        _check_urls(urls)
    return Notifier(urls, timeout_s)


def _check_urls(urls: Sequence[str]) -> None:
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "notify.urls needs apprise, which is not installed",
            hint="`pip install -r requirements/notify.txt`",
        ) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its log lines quote URLs
    invalid = [str(number) for number, url in enumerate(urls, 1) if not apprise.Apprise().add(url)]
    if invalid:
        raise ConfigError(
            f"notify.urls: apprise cannot read line {', '.join(invalid)}",
            hint="apprise's documentation lists the form of every URL",
        )
