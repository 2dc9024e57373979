"""Messages to people: the log, and by apprise mail, Slack, Teams, Telegram, webhooks and many more."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from lightmodel.errors import ConfigError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notifier:
    """Sends messages to people: to the log, and to each of apprise's addresses, which hold secrets.

    It is called after the work is done, and never in its way: a channel that fails or hangs costs a
    warning and at most the configured time, never an exception. What it logs of a failure holds no secret.
    """

    urls: Sequence[str]
    timeout_s: float

    def send(self, title: str, body: str) -> bool:
        """Send a message on every channel; return False where one of them did not take it."""
        logger.info("%s: %s", title, body)
        all_taken = True
        for number, url in enumerate(self.urls, start=1):
            import apprise

            channel = apprise.Apprise()
            kind = url.partition(":")[0]
            text = body or title  # apprise sends nothing without a body
            if not channel.add(url) or not channel.notify(text, title, timeout=self.timeout_s):
                logger.warning("notify.urls, line %d (%s): not taken: %s", number, kind, title)
                all_taken = False
        return all_taken


def open_notifier(urls: Sequence[str], timeout_s: float) -> Notifier:
    """Return what sends to the log, and to the channels of these addresses of apprise.

    Raises:
        ConfigError: apprise is not installed, or cannot read an address, which is named by its line only.
    """
    if urls:
        _check_addresses(urls)
    return Notifier(urls, timeout_s)


def _check_addresses(urls: Sequence[str]) -> None:
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
