"""The command line: arguments in, work done, errors turned into exit codes; and what commands share."""

import functools
import logging
import math
import os
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from lightmodel import __version__, errors
from lightmodel.config import Config, load
from lightmodel.progress import LogProgress, Progress

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.pipeline import RunContext

logger = logging.getLogger(__name__)

Command = Callable[..., Any]
NOTHING = "\N{EN DASH}"
BUG, USAGE, INTERRUPTED = 1, 2, 130
EXIT_CODES: dict[type[errors.LightModelError], int] = {
    errors.QualityGateFailed: 10,
    errors.DeployFailed: 11,
    errors.NotReproduced: 12,
    errors.DataError: 65,
    errors.ContractViolation: 65,
    errors.DriftExceeded: 65,
    errors.TooLarge: 65,
    errors.ArtefactMissing: 66,
    errors.ArtefactCorrupt: 74,
    errors.StorageFull: 74,
    errors.SourceUnavailable: 75,
    errors.QuotaExceeded: 75,
    errors.AlreadyRunning: 75,
    errors.ConfigError: 78,
    errors.NotPossible: 78,
}
MEANINGS = {
    0: "done: the newest candidate is approved",
    BUG: "a bug; the traceback says where",
    USAGE: "the command line makes no sense",
    10: "the quality gate said no; what is served stays",
    11: "the new version did not prove itself; what answered before goes on",
    12: "the model trained again is another one; it is said in what",
    65: "the table cannot be used; tell its owner",
    66: "an earlier stage did not run",
    74: "an artefact is damaged, or the disk is full; what is served stays",
    75: "something outside does not answer, or another run is under way; try again later",
    78: "a setting is wrong",
    INTERRUPTED: "interrupted; the next run goes on",
}
_MODULES = {  # each is imported when one of its commands is asked for
    "run": ("run", "retry", "reproduce"),
    "compare": ("compare",),
    "tune": ("tune",),
    "models": ("models", "runtime"),
    "tracking": ("tracking",),
    "service": ("serve", "smoke", "truth", "live", "export"),
    "deploy": ("deploy", "monitor", "webhook", "notify"),
    "docs": ("docs",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(context), *_MODULE_OF])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command, from its module."""
        if name not in _MODULE_OF:
            return super().get_command(context, name)
        command: click.Command = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="light-model")
def commands() -> None:
    """A table in, a tested and served prediction model out."""


def main(*words: str) -> None:
    """Run the command that `words` and the process's arguments name, and exit with its code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.captureWarnings(capture=True)
    name = sys.argv[0].rpartition("/")[2] if words else "python -m lightmodel"
    code = _guarded([*words, *sys.argv[1:]], name)
    if "ngrok" in sys.modules:
        _leave_at_once(code)
    sys.exit(code)


def _leave_at_once(code: int) -> None:
    """End without Python's own clean-up, which the threads of ngrok's agent do not always survive."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _guarded(arguments: list[str], name: str) -> int:
    """Run a command; every error that a user can mend becomes a message, a hint and a code."""
    try:
        commands(arguments, prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the next run goes on where this one was", err=True)
        return INTERRUPTED
    except errors.LightModelError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        return exit_code(error)
    except Exception:
        logger.exception("this is a bug of light-model, not of yours; please report it")
        return BUG
    return 0


def exit_code(error: errors.LightModelError) -> int:
    """Return the code of an error."""
    return EXIT_CODES.get(type(error), BUG)


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


def configured(command: Command) -> Command:
    """Add --config and --set; the command gets the settings that they lead to as `config`."""

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
    """Return a bar on a terminal, and log lines elsewhere."""
    if not sys.stderr.isatty():
        return LogProgress()
    from lightmodel.progress.terminal import TerminalProgress

    return TerminalProgress(sys.stderr)


@contextmanager
def run_context(config: Config, **modes: bool) -> Iterator["RunContext"]:
    """Open tracking for a run, and yield what it works with; `modes` are RunContext's."""
    from lightmodel.pipeline import RunContext
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
