"""Read the logs of runs: which there are, their events, how each ended, and what its folds did."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightmodel.config import Config
from lightmodel.store.version_names import is_version_name

SUFFIX = ".log"
OLDER = ".log.1"  # a log that has reached half of logs.max_mb continues in a new file
_EVENT_KEYS = {"time", "level", "run", "stage", "message"}
ENDS = {"run ended", "run failed"}


def logs_folder(config: Config) -> Path:
    """Return the folder of the logs of runs."""
    folder = config.logs.folder
    return folder if isinstance(folder, Path) else config.store.root / "logs"


def run_names(folder: Path) -> list[str]:
    """Return the names of the runs that have a log, oldest first; other files are not looked at."""
    try:
        files = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    names = (name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX))
    return sorted(filter(is_version_name, names))


def lines_of(folder: Path, name: str) -> Iterator[str]:
    """Yield the lines of a log; the run may still write it, or have been killed within a line."""
    for suffix in (OLDER, SUFFIX):
        with (
            suppress(FileNotFoundError),
            (folder / f"{name}{suffix}").open(encoding="utf-8", errors="replace") as file,
        ):
            yield from (line.rstrip("\n") for line in file)


def event_of(line: str) -> dict[str, Any] | None:
    """Return the event of a line; None if the line is cut off."""
    with suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict) and event.keys() >= _EVENT_KEYS:
            return event
    return None


def as_text(event: dict[str, Any]) -> str:
    """Return an event as one line of text."""
    parts = event["message"].splitlines()
    if "file" in event:
        parts.append(f"({event['kind']} at {event['file']}:{event['line']})")
    if event.get("hint"):
        parts.append(f"hint: {event['hint']}")
    start = f"{event['time']} {event['level']:<7} {event['run']} {event['stage']:<10} "
    return start + " ".join(part.strip() for part in parts)


@dataclass
class StageRun:
    """A stage of a run, as far as its log says."""

    name: str
    message: str = ""
    seconds: float | None = None  # None while it runs
    version: str = ""


@dataclass
class FoldRun:
    """A fold that has ended: its number from 1, its rounds, and (round, loss) pairs."""

    fold: int
    of: int
    rounds: int
    curve: list[tuple[float, float]]


@dataclass
class RunLog:
    """What the log of a run says.

    Attributes:
        name: of the run.
        command: of the command line, such as "run" or "tune".
        reason: why it was started; "" if nobody said so.
        started: time of its first event, in ISO format.
        outcome: how it ended, in words; "" if it did not, or still runs.
        hint: what to do about a failure.
        seconds: its duration; None if it did not end.
        succeeded: whether it ended without an error.
    """

    name: str
    command: str = ""
    reason: str = ""
    started: str = ""
    outcome: str = ""
    hint: str = ""
    seconds: float | None = None
    succeeded: bool = False
    stages: list[StageRun] = field(default_factory=list)
    folds: list[FoldRun] = field(default_factory=list)
    progress: str = ""

    @property
    def versions(self) -> list[str]:
        """The versions that its stages made or reused."""
        return [stage.version for stage in self.stages if stage.version]


def read_log(folder: Path, name: str) -> RunLog:
    """Return what the log of a run says so far."""
    log = RunLog(name)
    for line in lines_of(folder, name):
        if event := event_of(line):
            _add(log, event)
    return log


def _add(log: RunLog, event: dict[str, Any]) -> None:
    kind, message = event.get("event", ""), event["message"]
    log.started = log.started or event["time"]
    if kind == "run started":
        log.command = event.get("command", "")
    elif kind == "reason":
        log.reason = message.partition(": ")[2]
    elif kind == "stage started":
        log.stages.append(StageRun(event["stage"]))
    elif kind == "stage ended" and log.stages:
        stage = log.stages[-1]
        stage.message, stage.seconds = message, event.get("seconds")
        stage.version = event.get("version", "")
    elif kind == "fold ended":
        curve = [(point[0], point[1]) for point in event.get("curve", ())]
        log.folds.append(FoldRun(event["fold"], event["folds"], event["rounds"], curve))
    elif kind in ENDS:
        log.outcome, log.hint = message, event.get("hint", "")
        log.seconds, log.succeeded = event.get("seconds"), kind == "run ended"
    elif not kind:
        log.progress = message
