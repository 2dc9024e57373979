"""`app.py`: serve the newest approved model."""

import os
import sys
from pathlib import Path

import click

SETTINGS = Path("deploy") / "gunicorn.conf.py"


@click.command()
def serve() -> None:
    """Start gunicorn on the newest approved model; settings come from config.toml and the environment."""
    command = [sys.executable, "-m", "gunicorn", "-c", str(SETTINGS), "lightmodel.web:create_app()"]
    os.execv(sys.executable, command)  # noqa: S606 — so that signals reach gunicorn itself
