"""Progress of long-running work: the protocol, a silent and a logging implementation, and formatting."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger(__name__)

_BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB")

Advance = Callable[[int], None]  # adds a number of finished units


class Progress(Protocol):
    """Shows work in progress. It is thread-safe, and never raises, even when the terminal is gone."""

    def task(
        self, title: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """Show the work `title` until the block ends; `unit` is "bytes" or a plural such as "folds"."""
        ...


class SilentProgress:
    """Shows nothing: for tests, and for use as a library."""

    @contextlib.contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Show nothing."""
        del title, total, unit
        yield lambda _amount: None


@dataclass(frozen=True)
class LogProgress:
    """Logs a line when work starts, one every `interval_s` seconds, and one when it ends.

    A separate thread logs the lines, so that work that hangs is logged as well.
    """

    interval_s: float = 10.0
    clock: Callable[[], float] = time.monotonic

    @contextlib.contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Log the progress of `title` until the block ends."""
        done, lock, ended, start = 0, threading.Lock(), threading.Event(), self.clock()

        def advance(amount: int) -> None:
            nonlocal done
            with lock:
                done += amount

        def log(state: str) -> None:
            amounts, seconds = format_progress(done, total, unit), self.clock() - start
            logger.info("%s: %s%s after %s", title, state, amounts, format_seconds(seconds))

        def log_until_ended() -> None:
            while not ended.wait(self.interval_s):
                log("")

        logger.info("%s: started%s", title, f", {format_progress(0, total, unit)}" if total else "")
        thread = threading.Thread(target=log_until_ended, name=f"progress of {title}", daemon=True)
        thread.start()

        def end(state: str) -> None:
            ended.set()
            thread.join()  # else its last line might come after this one
            log(state)

        try:
            yield advance
        except BaseException:
            end("stopped at ")
            raise
        end("done, ")


def format_progress(done: int, total: int | None, unit: str) -> str:
    """Return "12.3 MB of 308.6 MB (4 %)", "7 of 10 folds (70 %)" or, without a total, "12.3 MB"."""
    if total is None:
        return _format_amount(done, unit)
    share = f" ({done / total:.0%})".replace("%", " %") if total else ""
    if unit != "bytes":
        return f"{done:,} of {_format_amount(total, unit)}{share}"
    return f"{_format_amount(done, unit)} of {_format_amount(total, unit)}{share}"


def _format_amount(amount: int, unit: str) -> str:
    if unit != "bytes":
        return f"{amount:,} {unit}".strip()
    size = float(amount)
    for byte_unit in _BYTE_UNITS:
        if size < 1000 or byte_unit == _BYTE_UNITS[-1]:
            break
        size /= 1000
    return f"{amount} bytes" if byte_unit == "bytes" else f"{size:.1f} {byte_unit}"


def format_seconds(seconds: float) -> str:
    """Return "4.2 s" or "3 min 20 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
