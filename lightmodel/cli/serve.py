"""`app.py` and `python -m lightmodel smoke`: serve the newest approved model, and check a service."""

import os
import sys
from pathlib import Path

import click

from lightmodel.cli.common import settings
from lightmodel.config import load

ROOT = Path(__file__).parents[2]


@click.command()
def serve() -> None:
    """Start gunicorn on the newest approved model, by config.toml and the environment."""
    load()  # a mistake in it is reported here, and not by gunicorn
    options = ["-c", str(ROOT / "deploy" / "gunicorn.conf.py"), "--pythonpath", str(ROOT)]
    command = [sys.executable, "-m", "gunicorn", *options, "lightmodel.service:create_app()"]
    os.execv(sys.executable, command)  # noqa: S606 — so that signals reach gunicorn itself


@click.command()
@click.argument("url", default="http://127.0.0.1:5001")
@click.option("--wait", "seconds", default=60.0, show_default=True, help="Until it is ready.")
@settings
def smoke(url: str, seconds: float, config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Ask the service at URL for the sample rows of the newest approved model, and compare."""
    from lightmodel.delivery.smoke_test import smoke_test_service

    version = smoke_test_service(load(config_file, sets).config, url, seconds)
    click.echo(f"{version} answers at {url}, and scores its sample rows as stored")
