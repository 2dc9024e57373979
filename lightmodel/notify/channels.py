"""Telling people by apprise: mail, Slack, Teams, Telegram, webhooks and many more."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from lightmodel.errors import ConfigError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Channels:
    """Sends to each of apprise's addresses; see `Notifier`.

    Attributes:
        urls: such as mailto://user:password@host?to=team@example.org; they hold secrets.
        timeout_s: most time for each of them.
    """

    urls: Sequence[str]
    timeout_s: float

    def send(self, title: str, body: str) -> bool:
        """Send it, and say it in the log; see `Notifier`."""
        import apprise

        logger.info("%s: %s", title, body)
        taken = True
        for number, url in enumerate(self.urls, start=1):
            channel = apprise.Apprise()
            kind = url.partition(":")[0]
            text = body or title  # apprise sends nothing without a body
            if not channel.add(url) or not channel.notify(text, title, timeout=self.timeout_s):
                logger.warning("notify.urls, line %d (%s): not taken: %s", number, kind, title)
                taken = False
        return taken


def open_channels(urls: Sequence[str], timeout_s: float) -> Channels:
    """Give the channels of some addresses.

    Raises:
        ConfigError: apprise is not installed, or does not know an address; it is named by its line only.
    """
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "notify.urls wants apprise, which is not installed",
            hint="`pip install -r requirements/notify.txt`",
        ) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines quote addresses
    unknown = [str(number) for number, url in enumerate(urls, 1) if not apprise.Apprise().add(url)]
    if unknown:
        raise ConfigError(
            f"notify.urls: apprise cannot read line {', '.join(unknown)}",
            hint="its own documentation lists the form of every address",
        )
    return Channels(urls, timeout_s)
