"""`python -m lightmodel tracking`: what MLflow was told, and what waits for it."""

import sys
from pathlib import Path

import click

from lightmodel.cli.options import settings
from lightmodel.config import Config, load
from lightmodel.errors import ConfigError


@click.group()
def tracking() -> None:
    """Look at what waits to be told to MLflow, deliver it, or tell it of a model."""


def _config(config_file: Path | None, sets: tuple[str, ...]) -> Config:
    config = load(config_file, sets).config
    if not config.tracking.is_on:
        raise ConfigError(
            "nothing is tracked: tracking.uri is none", hint="give it an address, or auto"
        )
    return config


@tracking.command()
@settings
@click.option("--behind-a-run", is_flag=True, hidden=True)
def resend(config_file: Path | None, sets: tuple[str, ...], *, behind_a_run: bool) -> None:
    """Deliver what MLflow was not told yet. Ends with 75 where it does not answer."""
    from lightmodel.tracking.factory import deliver, deliver_behind_a_run, outbox_of, tracker_of

    config = _config(config_file, sets)
    if not behind_a_run and not outbox_of(config).waiting():
        click.echo("nothing waits")
        return
    tracker = tracker_of(config)
    if behind_a_run:
        delivery = deliver_behind_a_run(config, tracker, sys.stdin.buffer)
    else:
        delivery = deliver(config, tracker, lambda title: click.echo(f"delivered: {title}"))
    for name, error in delivery.refused:
        click.echo(f"stays: {name}: {error.message}", err=True)
    if delivery.refused:
        raise delivery.refused[0][1]


@tracking.command(name="list")
@settings
def list_waiting(config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Say what waits, oldest first."""
    from lightmodel.tracking.factory import outbox_of

    outbox = outbox_of(_config(config_file, sets))
    for path in outbox.waiting():
        click.echo(f"{path.name}  {outbox.read(path).title}")
    if not outbox.waiting():
        click.echo("nothing waits")


@tracking.command()
@click.argument("version", required=False)
@settings
def add(version: str | None, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Tell MLflow of VERSION, or of the newest model: one that was tested while nothing was tracked."""
    from lightmodel.errors import ArtefactMissing
    from lightmodel.pipeline.run_records import model_record
    from lightmodel.store.factory import models_of, signer_of
    from lightmodel.store.verdict import read_verdict
    from lightmodel.tracking.factory import recording

    config = _config(config_file, sets)
    store = models_of(config)
    found = store.get(version) if version else store.newest()
    verdict = read_verdict(found, signer_of(config))
    if verdict is None:
        raise ArtefactMissing(
            f"{found.name} was not tested", hint="`python run.py testing` does it"
        )
    with recording(config) as record:
        record([model_record(found, verdict)])
    click.echo(f"told: {found.name}")
