"""The table that a run of the chain ends with."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.pipeline import Outcome


def show_outcomes(outcomes: "Iterable[Outcome]") -> None:
    """Let the work happen, and print what was done, even where it ends in an error."""
    table = _table()
    try:
        for outcome in outcomes:
            _add(table, outcome)
    finally:
        if table.row_count:
            _show(table)


def _table() -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("stage", "did", "seconds", "rows", "metric", "version"):
        right = name in {"seconds", "rows"}
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    return table


def _add(table: Table, outcome: "Outcome") -> None:
    did = f"{outcome.did}: {outcome.why}"
    rows = f"{outcome.rows:,}" if outcome.rows else ""
    table.add_row(
        outcome.stage, did, f"{outcome.seconds:.1f}", rows, outcome.metric, outcome.version
    )
    if outcome.report:
        table.caption = f"report: {outcome.report}"
        table.caption_justify = "left"


def _show(table: Table) -> None:
    width = None if sys.stdout.isatty() else 160
    Console(width=width, highlight=False).print(table)
