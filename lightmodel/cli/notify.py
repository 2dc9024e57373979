"""`python -m lightmodel notify`: send a message to people."""

from pathlib import Path

import click

from lightmodel.cli.common import settings
from lightmodel.config import load
from lightmodel.errors import SourceUnavailable


@click.command()
@click.argument("title")
@click.option("--body", default="", help="What more there is to say.")
@settings
def notify(title: str, body: str, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Send TITLE to every channel of `notify.urls`; without any, in the log."""
    from lightmodel.notify.notifiers import open_notifier

    section = load(config_file, sets).config.notify
    if not open_notifier(section.channels, section.timeout_s).send(title, body):
        raise SourceUnavailable(
            "a channel of notify.urls did not take it",
            hint="the line above says which; the others were told",
        )
