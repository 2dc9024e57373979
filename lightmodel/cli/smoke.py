"""`python -m lightmodel smoke`: does a service answer as its model did when it was made?"""

from pathlib import Path

import click

from lightmodel.cli.options import settings
from lightmodel.config import load


@click.command()
@click.argument("url", default="http://127.0.0.1:5001")
@click.option("--wait", "seconds", default=60.0, show_default=True, help="Until it is ready.")
@settings
def smoke(url: str, seconds: float, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Ask the service at URL for the sample rows of the newest approved model, and compare."""
    from lightmodel.delivery.factory import prove_service

    version = prove_service(load(config_file, sets).config, url, seconds)
    click.echo(f"{version} answers at {url}, and scores its sample rows as stored")
