"""`python -m lightmodel monitor`: keep the deployed service answering."""

import signal
import threading
from pathlib import Path

import click

from lightmodel.cli.options import settings
from lightmodel.config import load
from lightmodel.errors import DeployFailed, LightModelError


@click.command()
@click.option("--every", type=click.FloatRange(min=1), help="Seconds; without it, look once.")
@settings
def monitor(every: float | None, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Start the deployed service again where it is dead, unhealthy or does not answer.

    One that answers is never touched. Tries get rarer, and `notify.urls` are told.
    """
    from lightmodel.delivery.factory import monitor_of

    tend = monitor_of(load(config_file, sets).config)
    if every is None:
        if wrong := tend():
            raise DeployFailed(wrong, hint="the log lines above say what was tried")
        click.echo("the service answers")
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            tend()
        except LightModelError as error:  # the engine is away: it may come back
            click.echo(f"error: {error.message}", err=True)
        stop.wait(every)
