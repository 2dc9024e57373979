"""The log of a run: one event a line, on the console and in a file of its own under logs/."""

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import click

from lightmodel import __version__
from lightmodel.config import Config, LogsSection
from lightmodel.config.base import redacted
from lightmodel.config.environment import PROJECT, secret_values
from lightmodel.errors import LightModelError
from lightmodel.store.version_names import new_version_name
from lightmodel.watch.run_logs import OLDER, SUFFIX, as_text, logs_folder, run_names

logger = logging.getLogger(__name__)

_PACKAGE = PROJECT / "lightmodel"
_FACTS = (
    *("event", "command", "seconds", "rows", "version", "hint", "kind", "file", "line"),
    *("fold", "folds", "rounds", "curve"),
)
_ONLY_IN_FILES = frozenset({"fold ended"})  # events that would hide the others on a console

Clean = Callable[[str], str]


class Run(logging.Filter):
    """A run of a command; as a filter it adds name and stage to each record of the log.

    Attributes:
        stage: the one that the last event with a stage names; first the command.
        reason: why it was started; "" if nobody said so.
        clean: masks the secrets of the settings and of the environment in a text.
    """

    def __init__(self, command: str, clean: Clean, reason: str = "") -> None:
        super().__init__(new_version_name(datetime.now(UTC)))
        self.command, self.stage, self.clean, self.reason = command, command, clean, reason

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the run and its stage to a record."""
        self.stage = getattr(record, "stage", self.stage)
        record.run, record.stage = self.name, self.stage
        return True


@contextmanager
def logged_run(
    config: Config, command: str, reason: str = "", *, keep_file: bool = True
) -> Iterator[Run]:
    """Log a command to the console in the format of logs.console, and to a file of its own.

    A file that cannot be written costs a warning. Without `keep_file` there is none.

    Raises:
        LightModelError: the command failed by a bug, whose traceback is in the file.
    """
    run = Run(command, _cleaner(secret_values(config)), reason)
    _configure_console(config.logs.console, run)
    file = _open_file(logs_folder(config), config.logs, run.name) if keep_file else None
    if file is None:
        _log_reason(run)
        yield run
        return
    file.addFilter(run)
    file.setFormatter(EventFormatter("json", run.clean))
    logging.getLogger().addHandler(file)
    try:
        with _result_logged(file, run):
            _log_reason(run)
            yield run
    finally:
        logging.getLogger().removeHandler(file)
        file.close()


def _log_reason(run: Run) -> None:
    if run.reason:
        logger.info("started because of: %s", run.reason, extra={"event": "reason"})


class EventFormatter(logging.Formatter):
    """Formats a record as a line of JSON or text, or as its message alone ("plain"), without secrets."""

    def __init__(self, form: str, clean: Clean) -> None:
        super().__init__()
        self.form, self._clean = form, clean

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; only JSON and a plain message hold a traceback."""
        if self.form == "plain":
            return self._clean(super().format(record))
        event = self._event(record)
        return json.dumps(event, ensure_ascii=False) if self.form == "json" else as_text(event)

    def _event(self, record: logging.LogRecord) -> dict[str, Any]:
        time_of = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        event = {
            "time": time_of.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "run": getattr(record, "run", ""),
            "stage": getattr(record, "stage", ""),
            "message": record.getMessage(),
            **{name: getattr(record, name) for name in _FACTS if hasattr(record, name)},
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return {
            name: self._clean(value) if isinstance(value, str) else value
            for name, value in event.items()
        }


def _cleaner(secrets: Iterable[str]) -> Clean:
    longest_first = sorted(secrets, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
    return lambda text: redacted(pattern.sub("***", text))


def _configure_console(form: str, run: Run) -> None:
    """Set the format of the handler that `lightmodel.cli.main` has added."""
    if form == "auto":
        form = "plain" if sys.stderr.isatty() else "text"
    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(EventFormatter(form, run.clean))
            handler.filters[:] = [run, _is_for_console]


def _is_for_console(record: logging.LogRecord) -> bool:
    return getattr(record, "event", "") not in _ONLY_IN_FILES


class _RunFile(RotatingFileHandler):
    """The file of a run; a line that cannot be written ends it with a warning."""

    is_broken = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self.is_broken:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 — logging calls it so
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.is_broken = True
        name, reason = Path(self.baseFilename).name, error.strerror or error
        logger.warning("the log of this run is cut off: %s cannot be written: %s", name, reason)

    def close(self) -> None:
        with suppress(OSError):  # what a full disk did not take is still waiting
            super().close()

    def add(
        self,
        message: str,
        error: BaseException | None = None,
        level: int = logging.INFO,
        **facts: object,
    ) -> None:
        """Write an event that the console does not show, with the traceback of an error."""
        trace = (type(error), error, error.__traceback__) if error else None
        self.handle(
            logger.makeRecord(logger.name, level, __file__, 0, message, (), trace, extra=facts)
        )


def _open_file(folder: Path, logs: LogsSection, run: str) -> _RunFile | None:
    """Return the new file of a run, and delete the oldest ones; None where it cannot be written."""
    half = logs.max_mb * 500_000
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _RunFile(folder / f"{run}{SUFFIX}", "a", half, 1, "utf-8", errors="backslashreplace")
    except OSError as error:
        logger.warning("this run has no log: %s: %s", folder, error.strerror or error)
        return None
    for name in run_names(folder)[: -logs.keep]:
        for suffix in (OLDER, SUFFIX):
            with suppress(OSError):
                (folder / f"{name}{suffix}").unlink(missing_ok=True)
    return file


@contextmanager
def _result_logged(file: _RunFile, run: Run) -> Iterator[None]:
    """Log start and end, and a failure with its stage, file and line."""
    file.add(f"light-model {__version__} {run.command}", event="run started", command=run.command)
    started = time.perf_counter()

    def ended(message: str, event: str, **facts: Any) -> None:  # noqa: ANN401 — any facts
        file.add(message, event=event, seconds=round(time.perf_counter() - started, 3), **facts)

    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        ended("interrupted", "run failed", level=logging.ERROR)
        raise
    except Exception as error:
        is_bug = not isinstance(error, LightModelError | click.ClickException)
        facts = {"level": logging.ERROR, "error": error if is_bug else None, **_place(error)}
        ended(str(error), "run failed", hint=getattr(error, "hint", ""), **facts)
        if not is_bug or file.is_broken:
            raise
        raise LightModelError(
            "this is a bug in light-model; please report it",
            hint=f"`python -m lightmodel logs {run.name}` shows the traceback; it may quote your table",
        ) from error
    ended("succeeded", "run ended")


def _place(error: Exception) -> dict[str, Any]:
    """Return the class of an error, and the innermost file and line of the package that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    file = path.relative_to(PROJECT) if ours else path
    return {"kind": type(error).__name__, "file": str(file), "line": frame.lineno}
