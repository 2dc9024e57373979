"""Helpers of several commands: the options --config and --set, a run's context, progress and tables."""

import functools
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightmodel.config import Config, load
from lightmodel.progress import LogProgress, Progress
from lightmodel.watch.jobs import reason_text

if TYPE_CHECKING:  # rich is imported when a table is printed, the chain when it runs
    from rich.table import Table

    from lightmodel.notify.events import Notify
    from lightmodel.pipeline import RunContext

Command = Callable[..., Any]


class NamedPath(click.Path):
    """A path that is not empty: an empty one, as of a variable that is not set, would be this folder."""

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> "str | bytes | os.PathLike[str]":
        """Return the path."""
        if not os.fspath(value):
            self.fail("the path is empty.", param, ctx)
        return super().convert(value, param, ctx)


DASH = "\N{EN DASH}"


def settings(command: Command) -> Command:
    """Add --config and --set, which the command receives as `config_file` and `sets`."""
    command = click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Override a setting for this run, such as data.target=price; repeatable.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        type=NamedPath(dir_okay=False, path_type=Path),
        help="Read this file instead of config.toml.",
    )(command)


def configured(command: Command) -> Command:
    """Add --config and --set; the command receives the loaded settings as `config`."""

    @settings
    @functools.wraps(command)
    def with_config(
        *context: click.Context,
        config_file: Path | None,
        sets: tuple[str, ...],
        **arguments: object,
    ) -> object:
        return command(*context, config=load(config_file, sets).config, **arguments)

    return with_config


def make_progress() -> Progress:
    """Return progress bars for a terminal, else progress in the log."""
    if not sys.stderr.isatty():
        return LogProgress()
    from lightmodel.progress.terminal import TerminalProgress

    return TerminalProgress(sys.stderr)


def reason_option(command: Command) -> Command:
    """Add --reason, which the command receives as `reason`, as one line."""
    return click.option(
        "--reason",
        default="",
        metavar="TEXT",
        callback=lambda _context, _option, text: reason_text(text),
        help="Why it is started: for its log, manifest, report, notifications and tracking.",
    )(command)


@contextmanager
def run_context(
    config: Config, command: str, reason: str = "", **modes: bool
) -> Iterator["RunContext"]:
    """Open log, notifications and tracking of a run, and yield its context.

    `modes` are boolean fields of RunContext; a dry run only logs to the console.
    """
    from lightmodel.pipeline import RunContext
    from lightmodel.tracking.system_metrics import system_metrics
    from lightmodel.tracking.uploader import recording

    with (
        watched_run(config, command, reason, dry_run=modes.get("dry_run", False)) as notify,
        recording(config) as record,
        system_metrics(config.tracking) as curves,
    ):
        yield RunContext(config, make_progress(), record, notify, curves, reason, **modes)


@contextmanager
def watched_run(
    config: Config, command: str, reason: str = "", *, dry_run: bool = False
) -> Iterator["Notify"]:
    """Open log and notifications of a run, and yield what notifies of an event; in a dry run nothing."""
    from lightmodel.cli.notified import notified_run
    from lightmodel.cli.run_log import logged_run
    from lightmodel.notify.events import no_notifications

    with logged_run(config, command, reason, keep_file=not dry_run) as run:
        if dry_run:
            yield no_notifications
            return
        with notified_run(config, run) as notify:
            yield notify


def stop_event() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set from now on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def new_table(*names: str, left: Container[str] = ()) -> "Table":
    """Return an empty table with these column names, aligned right unless they are in `left`."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table


def print_table(table: "Table") -> None:
    """Print a table as wide as the terminal, or 180 characters wide into a file or a pipe."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)


def metric_text(value: float | None) -> str:
    """Return a metric with four decimals, or a dash for None and NaN."""
    return DASH if value is None or math.isnan(value) else f"{value:.4f}"
