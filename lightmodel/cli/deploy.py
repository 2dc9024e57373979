"""`python -m lightmodel deploy`, `monitor`, `webhook` and `notify`: deploy a service, and watch it."""

import logging

import click

from lightmodel.cli.common import configured, stop_event, watched_run
from lightmodel.config import Config
from lightmodel.delivery.aws import default_image, open_aws
from lightmodel.delivery.azure_app_service import open_app_service
from lightmodel.delivery.base import Deployment
from lightmodel.delivery.docker_host import open_docker_host
from lightmodel.delivery.monitor import open_monitor
from lightmodel.delivery.signed_only import signed_only
from lightmodel.errors import DeployFailed, LightModelError, SourceUnavailable
from lightmodel.interruption import defer_signals
from lightmodel.notify.events import Deployed, Message, Notify, RolledBack
from lightmodel.notify.notifier import open_notifier

logger = logging.getLogger(__name__)


@click.group()
def deploy() -> None:
    """Deploy an image, or roll back."""


@deploy.command()
@configured
@click.option(
    "--image", default="light-model", show_default=True, help="Name, tag or id of the image."
)
@click.option("--rollback", is_flag=True, help="Redeploy the previous image.")
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
@click.option(
    "--renew-proxy", is_flag=True, help="Replace the proxy before it as well: a second of downtime."
)
@click.option(
    "--replicas",
    type=click.IntRange(1, 16),
    help="Number of containers that answer, instead of deploy.replicas.",
)
def docker(config: Config, image: str, replicas: int | None, **flags: bool) -> None:
    """Deploy to a Docker host without losing a request.

    DOCKER_HOST holds its address, such as ssh://user@host; unset means this machine.
    """
    with watched_run(config, "deploy", dry_run=flags["dry_run"]) as notify:
        deployment = open_docker_host(config, renew_proxy=flags["renew_proxy"], replicas=replicas)
        _run(signed_only(deployment, config.deploy), image, flags, notify)


@deploy.command()
@configured
@click.option(
    "--image", default="light-model", show_default=True, help="Name, tag or id of the image."
)
@click.option("--rollback", is_flag=True, help="Redeploy the previous image.")
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
def azure(config: Config, image: str, **flags: bool) -> None:
    """Deploy to Azure App Service.

    Missing resources are created, and the public address is checked by a smoke test.
    """
    with watched_run(config, "deploy", dry_run=flags["dry_run"]) as notify:
        _run(signed_only(open_app_service(config), config.deploy), image, flags, notify)


@deploy.command()
@configured
@click.option(
    "--image",
    help="Name, tag or id of the image; by default light-model-lambda, or light-model for aws.host.",
)
@click.option("--rollback", is_flag=True, help="Let the previous version answer again.")
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
def aws(config: Config, image: str | None, **flags: bool) -> None:
    """Deploy to AWS Lambda, or to an EC2 instance.

    A new version of the function is invoked with sample rows, gets a share of the invocations of the alias
    `live`, is watched, and gets all. With aws.host, `deploy docker` runs on that instance.
    """
    with watched_run(config, "deploy", dry_run=flags["dry_run"]) as notify:
        deployment = signed_only(open_aws(config), config.deploy)
        _run(deployment, image or default_image(config), flags, notify)


def _run(deployment: Deployment, image: str, flags: dict[str, bool], notify: Notify) -> None:
    """Plan, deploy or roll back, and print which version answers now."""
    back = flags["rollback"]
    if flags["dry_run"]:
        click.echo("\n".join(deployment.plan_rollback() if back else deployment.plan(image)))
        return
    defer_signals()
    result = deployment.rollback() if back else deployment.deploy(image)
    status = "answers now" if result.changed else "was already deployed; nothing was changed"
    click.echo(f"{result.version} {status}: {result.address}")
    if result.changed and back:
        notify(RolledBack("the deployment", f"{result.version} answers now at {result.address}."))
    elif result.changed:
        notify(Deployed(result.version, result.address))


@click.command()
@click.option(
    "--every", type=click.FloatRange(min=1), help="Seconds between checks; without it, check once."
)
@click.option("--aws", is_flag=True, help="Check the function of AWS Lambda instead.")
@configured
def monitor(config: Config, every: float | None, *, aws: bool) -> None:
    """Restart the deployed service when it fails.

    It checks the service that `deploy docker` started on DOCKER_HOST. A service that is unhealthy or does
    not answer is restarted, with growing pauses between attempts, and the receivers of `restarted` are
    notified. A service that answers is never touched. A deployment that was killed while it watched its new
    version is undone. With --aws, a function that fails is reported, for Lambda starts functions itself.
    """
    notifier = open_notifier(config)
    check = open_monitor(config, notifier.send_and_wait, aws=aws).check
    if every is None:
        problem = check()
        notifier.retry()
        if problem:
            raise DeployFailed(problem, hint="the log lines above say what was tried")
        click.echo("the service answers")
        return
    stop = stop_event()
    while not stop.is_set():
        try:
            check()
        except LightModelError as error:  # Docker may be unreachable for a while only
            click.echo(f"error: {error.message}", err=True)
        notifier.retry()
        stop.wait(every)


@click.command()
@click.option("--remove-on-exit", is_flag=True, help="Wait for Ctrl-C, then remove the webhook.")
@configured
def webhook(config: Config, remove_on_exit: bool) -> None:
    """Trigger Jenkins on each push to GitHub.

    A webhook is registered at `webhook.repository`, with the token LIGHTMODEL__WEBHOOK__GITHUB_TOKEN, and
    Jenkins must answer GitHub's ping.

    Without `webhook.address` a tunnel is opened first, and kept open until Ctrl-C or SIGTERM.
    """
    from lightmodel.delivery.webhook import github_hooks, open_route, webhook_secret

    hooks, secret = github_hooks(config), webhook_secret(config)
    stop = stop_event()
    with open_route(config) as route:
        hook = hooks.register(route.url, secret)
        click.echo(f"webhook {hook} of {config.webhook.repository} → {route.url}")
        try:
            hooks.check(hook)
            click.echo("GitHub's ping was answered: a push starts a build")
            if route.tunnelled or remove_on_exit:
                click.echo("waiting until Ctrl-C")
                stop.wait()
        finally:
            if remove_on_exit:
                hooks.remove(hook)
                click.echo("the webhook was removed")


@click.command()
@click.argument("title", required=False)
@click.option("--body", default="", help="Text below the title.")
@click.option("--spooled", is_flag=True, help="Send no message but those that wait in the spool.")
@configured
def notify(config: Config, title: str | None, body: str, *, spooled: bool) -> None:
    """Send a notification.

    TITLE is logged, and sent to the receivers of `message` (the tables [[notify]] of the settings file).
    """
    if not title and not spooled:
        raise click.UsageError("name a TITLE, or use --spooled")
    notifier = open_notifier(config, strict=True)
    if title:
        logger.info("%s: %s", title, body)
        notifier.put(Message(title, body))
    if failed := notifier.deliver():
        raise SourceUnavailable(
            f"the message was not accepted: {'; '.join(sorted(failed))}",
            hint="it is kept for a day, and the next run or `notify` tries again; the others have it",
        )
