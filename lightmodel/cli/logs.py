"""`python -m lightmodel logs`: print the log of a run."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import click

from lightmodel.cli.common import configured
from lightmodel.config import Config
from lightmodel.errors import ArtefactMissing
from lightmodel.watch.run_logs import ENDS, as_text, event_of, lines_of, logs_folder, run_names

_LIST = "`python -m lightmodel logs --list` lists them"


@click.command()
@click.argument("run", required=False)
@click.option("--list", "listed", is_flag=True, help="List the runs, oldest first.")
@click.option("--json", "raw", is_flag=True, help="Print the lines as they are stored.")
@configured
def logs(config: Config, run: str | None, **flags: bool) -> None:
    """Print the log of a run.

    RUN may be a unique prefix of its name; the default is the newest run. Each line has time, level, run
    and stage.
    """
    folder = logs_folder(config)
    if flags["listed"]:
        for name in run_names(folder):
            click.echo(f"{name}  {_summary(folder, name)}")
        return
    for line in lines_of(folder, _chosen(folder, run)):
        click.echo(line if flags["raw"] else "\n".join(_texts(line)))


def _chosen(folder: Path, run: str | None) -> str:
    names = run_names(folder)
    if not names:
        raise ArtefactMissing(
            f"no run has a log in {folder}", hint="`python run.py` is the first that gets one"
        )
    fitting = [name for name in names if name.startswith(run or "")]
    if not fitting:
        raise ArtefactMissing(f"no run with a log is named {run!r}", hint=_LIST)
    if run and len(fitting) > 1:
        raise ArtefactMissing(f"{len(fitting)} runs begin with {run!r}", hint=_LIST)
    return fitting[-1]


def _texts(line: str) -> Iterator[str]:
    """Yield an event as text, and its traceback below; a line that is cut off is yielded as it is."""
    event = event_of(line)
    yield as_text(event) if event else line
    if event and "traceback" in event:
        yield from (f"    {one}" for one in event["traceback"].splitlines())


def _summary(folder: Path, name: str) -> str:
    """Return the command of a run and how it ended."""
    lines = lines_of(folder, name)
    first = event_of(next(lines, "")) or {}
    last = event_of(next(iter(deque(lines, maxlen=1)), "")) or {}
    command = first.get("command", "")
    if last.get("event") not in ENDS:
        return f"{command:<12} did not end, or still runs"
    what = last["message"].partition("\n")[0]
    return f"{command:<12} {what} after {last['seconds']:.1f} s"
