"""What several commands share: the options of the settings, and the start of a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lightmodel.config import Config

if TYPE_CHECKING:  # the chain is imported when it runs
    from lightmodel.pipeline import RunContext

Command = Callable[..., Any]


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
