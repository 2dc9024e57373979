"""Tables and numbers on the terminal."""

import math
import sys
from collections.abc import Container

from rich.console import Console
from rich.table import Table

NOTHING = "\N{EN DASH}"


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
