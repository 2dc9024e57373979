"""`python -m lightmodel live`: how good the answers were."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from lightmodel.cli.options import settings
from lightmodel.config import load

if TYPE_CHECKING:  # imported when the command runs
    from lightmodel.predictions.live_metrics import Live


@click.command()
@settings
def live(config_file: Path | None, sets: tuple[str, ...]) -> None:
    """Print what each model version answered, and its metrics on the rows whose truth has come."""
    from lightmodel.predictions.factory import live_metrics

    found = live_metrics(load(config_file, sets).config)
    if not found:
        click.echo("no row has been answered yet")
        return
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False).print(_table(found))
    if not any(version.judged for version in found):
        click.echo("no truth has come yet: `python -m lightmodel truth FILE`, or POST /truth")


def _table(versions: "list[Live]") -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    names = list(dict.fromkeys(name for version in versions for name in version.metrics))
    for name in ("version", "rows", "with truth", *names):
        table.add_column(name, justify="left" if name == "version" else "right", overflow="fold")
    for version in versions:
        metrics = [_shown(version.metrics.get(name)) for name in names]
        table.add_row(version.version, f"{version.rows:,}", f"{version.judged:,}", *metrics)
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"
