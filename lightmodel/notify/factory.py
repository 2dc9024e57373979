"""Open what sends messages to people."""

from collections.abc import Sequence

from lightmodel.notify.base import Notifier


def open_notifier(urls: Sequence[str], timeout_s: float) -> Notifier:
    """Return the channels of apprise's addresses, or the log where there are none.

    Raises:
        ConfigError: an address cannot be read, or apprise is not installed.
    """
    if not urls:
        from lightmodel.notify.log import LogNotifier

        return LogNotifier()
    from lightmodel.notify.channels import open_channels

    return open_channels(urls, timeout_s)
