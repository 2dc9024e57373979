"""`python -m lightmodel deploy`: bring an image into service, or take it back."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lightmodel.cli.options import settings
from lightmodel.config import load

if TYPE_CHECKING:  # the rest is imported when a command runs
    from lightmodel.delivery.base import Deployment


@click.group()
def deploy() -> None:
    """Bring an image into service, or take it back."""


@deploy.command()
@settings
@click.option("--image", default="light-model", show_default=True, help="By name, tag or id.")
@click.option("--rollback", is_flag=True, help="Bring back the image that answered before.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option(
    "--renew-proxy", is_flag=True, help="Replace the proxy too: a second without answers."
)
def docker(config_file: Path | None, sets: tuple[str, ...], image: str, **flags: bool) -> None:
    """Deploy to the Docker host that DOCKER_HOST names (ssh://user@host too), without a lost request."""
    from lightmodel.delivery.factory import docker_host_of

    config = load(config_file, sets).config
    _run(docker_host_of(config, renew_proxy=flags["renew_proxy"]), image, flags)


@deploy.command()
@settings
@click.option("--image", default="light-model", show_default=True, help="By name, tag or id.")
@click.option("--rollback", is_flag=True, help="Bring back the image that answered before.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
def azure(config_file: Path | None, sets: tuple[str, ...], image: str, **flags: bool) -> None:
    """Deploy to Azure App Service: what is missing there is made, and the public address proved."""
    from lightmodel.delivery.factory import app_service_of

    _run(app_service_of(load(config_file, sets).config), image, flags)


def _run(deployment: "Deployment", image: str, flags: dict[str, bool]) -> None:
    """Plan, deploy or roll back, and say what answers now."""
    if flags["dry_run"]:
        click.echo("\n".join(deployment.plan(image)))
        return
    signal.signal(signal.SIGTERM, _interrupt)
    done = deployment.rollback() if flags["rollback"] else deployment.deploy(image)
    what = "answers now" if done.changed else "answered already; nothing was changed"
    click.echo(f"{done.version} {what}: {done.address}")


def _interrupt(*_: object) -> None:
    """Clean up on SIGTERM as on Ctrl-C: process 1 of a container would ignore it."""
    raise KeyboardInterrupt
