"""`python -m lightmodel alerts`: notify the receivers of what Alertmanager sends."""

import logging

import click

from lightmodel.cli.common import configured, stop_event
from lightmodel.config import Config

logger = logging.getLogger(__name__)

_STOP_S = 15.0


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=9095, show_default=True, help="Port."
)
@configured
def alerts(config: Config, host: str, port: int) -> None:
    """Send alerts of Prometheus to the receivers.

    Alertmanager posts them to /alerts (deploy/monitoring/alertmanager.yml), with the token
    LIGHTMODEL__WATCH__ALERT_TOKEN if that is set. Receivers are those of the events `alert` and
    `alert_resolved` (the tables [[notify]] of the settings file). Each alert is sent once, and once more
    when it is over.
    """
    from lightmodel.notify.notifier import open_notifier
    from lightmodel.watch.alert_server import AlertServer
    from lightmodel.watch.alerts import AlertRelay

    secret = config.watch.alert_token
    token = secret.get_secret_value() if secret else ""
    notifier = open_notifier(config, strict=True)
    if not notifier.has_receivers("alert"):
        logger.warning("nobody is notified: no table [[notify]] with a URL has the event `alert`")
    relay = AlertRelay(config, notifier)
    server = AlertServer(host, port, relay, token)
    if not token and host not in {"127.0.0.1", "::1", "localhost"}:
        logger.warning(
            "anybody who reaches %s may send alerts: set LIGHTMODEL__WATCH__ALERT_TOKEN", host
        )
    stop = stop_event()
    relay.start()
    server.start()
    logger.info("receiving alerts at %s, port %d", host, server.server_port)
    stop.wait()
    server.close()
    relay.stop(_STOP_S)
