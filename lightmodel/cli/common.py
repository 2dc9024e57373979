"""What commands share: the options of the settings, the start of a run, tables and numbers."""

import math
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from lightmodel.config import Config

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.pipeline import RunContext

Command = Callable[..., Any]
NOTHING = "\N{EN DASH}"


def settings(command: Command) -> Command:
    """Add --config and --set; the command gets them as `config_file` and `sets`."""
    command = click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Change a setting for this run; may be given several times.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read another file than config.toml.",
    )(command)


@contextmanager
def run_context(config: Config, **modes: bool) -> Iterator["RunContext"]:
    """Open tracking for a run.

    Args:
        config: of the run.
        modes: `force` and `dry_run` of RunContext.

    Yields:
        What a run works with.
    """
    from lightmodel.pipeline import RunContext
    from lightmodel.progress import make_progress
    from lightmodel.tracking.uploader import recording

    with recording(config) as record:
        yield RunContext(config, make_progress(), record, **modes)


def new_table(*names: str, left: Container[str] = ()) -> Table:
    """Return an empty table with these headings; columns are aligned right unless they are in `left`."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table


def print_table(table: Table) -> None:
    """Print it as wide as the terminal, or 180 characters wide into a file or a pipe."""
    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)


def metric_text(value: float | None) -> str:
    """Return a metric with four decimals, or a dash where it is not known."""
    return NOTHING if value is None or math.isnan(value) else f"{value:.4f}"
