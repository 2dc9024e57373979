"""`python -m lightmodel webhook`: let a push at GitHub start a build."""

import signal
import threading
from pathlib import Path

import click

from lightmodel.cli.common import settings
from lightmodel.config import load


@click.command()
@click.option("--remove-on-exit", is_flag=True, help="Stay, and remove the webhook at the end.")
@settings
def webhook(config_file: Path | None, sets: tuple[str, ...], remove_on_exit: bool) -> None:
    """Register the push webhook of `webhook.repository`, and check that Jenkins answers it.

    Without `webhook.address` a tunnel is opened first, which lasts until Ctrl-C or SIGTERM.
    """
    from lightmodel.delivery.webhook import github_hooks, open_route, webhook_secret

    config = load(config_file, sets).config
    hooks, secret = github_hooks(config), webhook_secret(config)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with open_route(config) as route:
        hook = hooks.register(route.url, secret)
        click.echo(f"webhook {hook} of {config.webhook.repository} → {route.url}")
        try:
            hooks.check(hook)
            click.echo("GitHub's ping was answered: a push starts a build")
            if route.tunnelled or remove_on_exit:
                click.echo("until Ctrl-C")
                stop.wait()
        finally:
            if remove_on_exit:
                hooks.remove(hook)
                click.echo("the webhook was removed")
