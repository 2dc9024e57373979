"""`python -m lightmodel logs`: print the log of a run."""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from lightmodel.cli.common import configured
from lightmodel.cli.run_log import OLDER, SUFFIX, as_text, logs_folder, run_names
from lightmodel.config import Config
from lightmodel.errors import ArtefactMissing

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
    for line in _lines(folder, _chosen(folder, run)):
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


def _lines(folder: Path, name: str) -> Iterator[str]:
    """Yield the lines of a log; the run may still write it, or have been killed within a line."""
    for suffix in (OLDER, SUFFIX):
        with (
            suppress(FileNotFoundError),
            (folder / f"{name}{suffix}").open(encoding="utf-8", errors="replace") as file,
        ):
            yield from (line.rstrip("\n") for line in file)


def _event(line: str) -> dict[str, Any] | None:
    with suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict) and {"time", "level", "run", "stage", "message"} <= event.keys():
            return event
    return None


def _texts(line: str) -> Iterator[str]:
    """Yield an event as text, and its traceback below; a line that is cut off is yielded as it is."""
    event = _event(line)
    yield as_text(event) if event else line
    if event and "traceback" in event:
        yield from (f"    {one}" for one in event["traceback"].splitlines())


def _summary(folder: Path, name: str) -> str:
    """Return the command of a run and how it ended."""
    lines = _lines(folder, name)
    first = _event(next(lines, "")) or {}
    last = _event(next(iter(deque(lines, maxlen=1)), "")) or {}
    command = first.get("command", "")
    if last.get("event") not in {"run ended", "run failed"}:
        return f"{command:<12} did not end, or still runs"
    what = last["message"].partition("\n")[0]
    return f"{command:<12} {what} after {last['seconds']:.1f} s"
