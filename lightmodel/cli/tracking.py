"""`python -m lightmodel tracking`: the queue of what MLflow was not sent yet."""

import sys

import click

from lightmodel.cli.common import configured
from lightmodel.config import Config
from lightmodel.errors import ArtefactMissing, ConfigError, LightModelError
from lightmodel.store.versions import models_of


@click.group()
def tracking() -> None:
    """Show or upload the queue of runs for MLflow."""


def _check_tracked(config: Config) -> None:
    if config.tracking.uri == "none":
        raise ConfigError(
            "nothing is tracked: tracking.uri is none", hint="give it an address, or auto"
        )


@tracking.command()
@configured
@click.option("--follow", is_flag=True, hidden=True)
def resend(config: Config, *, follow: bool) -> None:
    """Upload the queued runs.

    The exit code is 75 where MLflow does not answer.
    """
    from lightmodel.tracking.client import connect
    from lightmodel.tracking.uploader import queue_of, upload, upload_on_lines

    _check_tracked(config)
    queue, timeout_s = queue_of(config), config.tracking.timeout_s
    if not follow and not queue.files():
        click.echo("the queue is empty")
        return
    send = connect(config.tracking).send
    results = (
        upload_on_lines(queue, send, timeout_s, sys.stdin.buffer)
        if follow
        else upload(queue, send, timeout_s)
    )
    refused: LightModelError | None = None
    for result in results:
        if result.error:
            click.echo(f"stays: {result.title}: {result.error.message}", err=True)
            refused = refused or result.error
        else:
            click.echo(f"delivered: {result.title}")
    if refused:
        raise refused


@tracking.command(name="list")
@configured
def list_pending(config: Config) -> None:
    """List the queued runs, oldest first."""
    from lightmodel.tracking.uploader import queue_of

    _check_tracked(config)
    queue = queue_of(config)
    for path in queue.files():
        click.echo(f"{path.name}  {queue.read(path).title}")
    if not queue.files():
        click.echo("the queue is empty")


@tracking.command()
@click.argument("version", required=False)
@configured
def add(config: Config, version: str | None) -> None:
    """Log a model that was tested while tracking was off.

    It is VERSION, or the newest model.
    """
    from lightmodel.store.verdict import read_verdict
    from lightmodel.tracking.records import model_record
    from lightmodel.tracking.uploader import recording

    _check_tracked(config)
    store = models_of(config)
    chosen = store.get(version) if version else store.newest()
    verdict = read_verdict(chosen, store.signer)
    if verdict is None:
        raise ArtefactMissing(
            f"{chosen.name} was not tested", hint="`python run.py testing` does it"
        )
    with recording(config) as record:
        record([model_record(chosen, verdict)])
    click.echo(f"told: {chosen.name}")
