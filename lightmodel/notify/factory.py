"""From a configuration to whom to tell."""

from lightmodel.config import Config
from lightmodel.notify.base import Notifier


def notifier_of(config: Config) -> Notifier:
    """Give the channels that notify.urls names, or else the log.

    Raises:
        ConfigError: an address cannot be read, or apprise is not installed.
    """
    if config.notify.urls is None:
        from lightmodel.notify.log import LogNotifier

        return LogNotifier()
    from lightmodel.notify.channels import open_channels

    lines = (line.strip() for line in config.notify.urls.get_secret_value().splitlines())
    urls = [line for line in lines if line and not line.startswith("#")]
    return open_channels(urls, config.notify.timeout_s)
