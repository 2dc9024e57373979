"""`python -m lightmodel tracking`: the queue of runs that were not uploaded to MLflow yet."""

import sys

import click

from lightmodel.cli.common import configured
from lightmodel.config import Config
from lightmodel.errors import ArtefactMissing, ConfigError, LightModelError
from lightmodel.store.versions import models_of


@click.group()
def tracking() -> None:
    """List or upload the runs queued for MLflow."""


def _check_tracked(config: Config) -> None:
    if config.tracking.uri == "none":
        raise ConfigError(
            "tracking is off: tracking.uri is none", hint="set it to an address, or to auto"
        )


@tracking.command()
@configured
@click.option("--follow", is_flag=True, hidden=True)
def resend(config: Config, *, follow: bool) -> None:
    """Upload the queued runs.

    The exit code is 75 if MLflow does not answer.
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
    first_error: LightModelError | None = None
    for result in results:
        if result.error:
            click.echo(f"still queued: {result.title}: {result.error.message}", err=True)
            first_error = first_error or result.error
        else:
            click.echo(f"uploaded: {result.title}")
    if first_error:
        raise first_error


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

    The default VERSION is the newest model.
    """
    from lightmodel.store.verdict import read_verdict
    from lightmodel.tracking.records import model_record
    from lightmodel.tracking.uploader import recording

    _check_tracked(config)
    store = models_of(config)
    chosen = store.get(version) if version else store.newest()
    verdict = read_verdict(chosen, store.signer)
    if verdict is None:
        raise ArtefactMissing(f"{chosen.name} has no verdict", hint="run `python run.py testing`")
    with recording(config) as record:
        record([model_record(chosen, verdict)])
    click.echo(f"logged: {chosen.name}")
