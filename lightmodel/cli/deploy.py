"""`python -m lightmodel deploy`, `monitor`, `webhook` and `notify`: a service brought out and kept up."""

import signal
import threading

import click

from lightmodel.cli.common import configured
from lightmodel.config import Config
from lightmodel.delivery.azure_app_service import open_app_service
from lightmodel.delivery.base import Deployment
from lightmodel.delivery.docker_host import open_docker_host
from lightmodel.delivery.interruption import defer_signals
from lightmodel.delivery.monitor import open_monitor
from lightmodel.errors import DeployFailed, LightModelError, SourceUnavailable
from lightmodel.notify import open_notifier


@click.group()
def deploy() -> None:
    """Bring an image into service, or roll back."""


@deploy.command()
@configured
@click.option("--image", default="light-model", show_default=True, help="By name, tag or id.")
@click.option("--rollback", is_flag=True, help="Bring back the image that answered before.")
@click.option("--dry-run", is_flag=True, help="Show the plan; change nothing.")
@click.option(
    "--renew-proxy", is_flag=True, help="Replace the proxy too: a second without answers."
)
def docker(config: Config, image: str, **flags: bool) -> None:
    """Deploy to a Docker host without losing a request.

    DOCKER_HOST names it, ssh://user@host too.
    """
    _run(open_docker_host(config, renew_proxy=flags["renew_proxy"]), image, flags)


@deploy.command()
@configured
@click.option("--image", default="light-model", show_default=True, help="By name, tag or id.")
@click.option("--rollback", is_flag=True, help="Bring back the image that answered before.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
def azure(config: Config, image: str, **flags: bool) -> None:
    """Deploy to Azure App Service.

    Missing resources are created, and the public address is checked by a smoke test.
    """
    _run(open_app_service(config), image, flags)


def _run(deployment: Deployment, image: str, flags: dict[str, bool]) -> None:
    """Plan, deploy or roll back, and say what answers now."""
    if flags["dry_run"]:
        click.echo("\n".join(deployment.plan(image)))
        return
    defer_signals()
    done = deployment.rollback() if flags["rollback"] else deployment.deploy(image)
    what = "answers now" if done.changed else "answered already; nothing was changed"
    click.echo(f"{done.version} {what}: {done.address}")


def _stop_event() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set from now on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


@click.command()
@click.option("--every", type=click.FloatRange(min=1), help="Seconds; without it, look once.")
@configured
def monitor(config: Config, every: float | None) -> None:
    """Restart the deployed service where it is dead.

    One that is unhealthy or does not answer is dead; one that answers is never touched. Tries get rarer,
    and `notify.urls` are notified.
    """
    check = open_monitor(config).check
    if every is None:
        if wrong := check():
            raise DeployFailed(wrong, hint="the log lines above say what was tried")
        click.echo("the service answers")
        return
    stop = _stop_event()
    while not stop.is_set():
        try:
            check()
        except LightModelError as error:  # the engine is away: it may come back
            click.echo(f"error: {error.message}", err=True)
        stop.wait(every)


@click.command()
@click.option("--remove-on-exit", is_flag=True, help="Stay, and remove the webhook at the end.")
@configured
def webhook(config: Config, remove_on_exit: bool) -> None:
    """Bring pushes at GitHub to Jenkins.

    The push webhook of `webhook.repository` is registered, and Jenkins must answer its ping.

    Without `webhook.address` a tunnel is opened first, which lasts until Ctrl-C or SIGTERM.
    """
    from lightmodel.delivery.webhook import github_hooks, open_route, webhook_secret

    hooks, secret = github_hooks(config), webhook_secret(config)
    stop = _stop_event()
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


@click.command()
@click.argument("title")
@click.option("--body", default="", help="What more there is to say.")
@configured
def notify(config: Config, title: str, body: str) -> None:
    """Send a notification.

    TITLE goes to every channel of `notify.urls`; without any, it is logged.
    """
    section = config.notify
    if not open_notifier(section.channels, section.timeout_s).send(title, body):
        raise SourceUnavailable(
            "a channel of notify.urls did not take it",
            hint="the line above says which; the others were told",
        )
