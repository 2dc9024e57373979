"""`python -m lightmodel tracking`: the queue of what MLflow was not sent yet."""

import sys
from pathlib import Path

import click

from lightmodel.cli.common import settings
from lightmodel.config import Config, load
from lightmodel.errors import ConfigError, LightModelError


@click.group()
def tracking() -> None:
    """Show or upload the queue of runs for MLflow, or add a model to it."""


def _config(config_file: Path | None, sets: tuple[str, ...]) -> Config:
    config = load(config_file, sets).config
    if not config.tracking.is_on:
        raise ConfigError(
            "nothing is tracked: tracking.uri is none", hint="give it an address, or auto"
        )
    return config


@tracking.command()
@settings
@click.option("--follow", is_flag=True, hidden=True)
def resend(config_file: Path | None, sets: tuple[str, ...], *, follow: bool) -> None:
    """Upload what MLflow was not sent yet. Ends with 75 where it does not answer."""
    from lightmodel.tracking.client import connect
    from lightmodel.tracking.uploader import queue_of, upload, upload_on_lines

    config = _config(config_file, sets)
    queue, timeout_s = queue_of(config), config.tracking.timeout_s
    if not follow and not queue.files():
        click.echo("nothing waits")
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
@settings
def list_pending(config_file: Path | None, sets: tuple[str, ...]) -> None:
    """List what waits in the queue, oldest first."""
    from lightmodel.tracking.uploader import queue_of

    queue = queue_of(_config(config_file, sets))
    for path in queue.files():
        click.echo(f"{path.name}  {queue.read(path).title}")
    if not queue.files():
        click.echo("nothing waits")


@tracking.command()
@click.argument("version", required=False)
@settings
def add(version: str | None, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Log VERSION, or the newest model, which was tested while nothing was tracked."""
    from lightmodel.errors import ArtefactMissing
    from lightmodel.store.verdict import read_verdict
    from lightmodel.store.versions import models_of
    from lightmodel.tracking.records import model_record
    from lightmodel.tracking.uploader import recording

    config = _config(config_file, sets)
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
