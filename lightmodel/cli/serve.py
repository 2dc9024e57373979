"""`app.py`: serve the newest approved model."""

import os
import sys
from pathlib import Path

import click

from lightmodel.config import load

ROOT = Path(__file__).parents[2]


@click.command()
def serve() -> None:
    """Start gunicorn on the newest approved model, by config.toml and the environment."""
    load()  # so that a mistake in it is told here, and not by gunicorn
    options = ["-c", str(ROOT / "deploy" / "gunicorn.conf.py"), "--pythonpath", str(ROOT)]
    command = [sys.executable, "-m", "gunicorn", *options, "lightmodel.service:create_app()"]
    os.execv(sys.executable, command)  # noqa: S606 — so that signals reach gunicorn itself
