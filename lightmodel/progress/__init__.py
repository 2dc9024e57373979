"""Progress of work that somebody waits for: the protocol, silent or in the log, and how it is written."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger(__name__)

_STEPS = ("bytes", "kB", "MB", "GB", "TB")


Advance = Callable[[int], None]  # counts so many more units as done


class Progress(Protocol):
    """Shows work under way. It never raises, whatever becomes of the terminal, and is thread-safe."""

    def task(
        self, what: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """Start to show `what`; `unit` is "bytes" or the plural of what is counted."""
        ...


class SilentProgress:
    """Shows nothing: for tests, and for who uses this package as a library."""

    @contextlib.contextmanager
    def task(self, what: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Show nothing of `what`."""
        del what, total, unit
        yield lambda _amount: None


@dataclass(frozen=True)
class LogProgress:
    """Writes a line when work starts, one every `every_s` seconds, and one when it ends.

    The lines come from a thread of their own, so that work that hangs is logged as well.
    """

    every_s: float = 10.0
    clock: Callable[[], float] = time.monotonic

    @contextlib.contextmanager
    def task(self, what: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Write about `what` until the block ends."""
        done, lock, ended, start = 0, threading.Lock(), threading.Event(), self.clock()

        def advance(amount: int) -> None:
            nonlocal done
            with lock:
                done += amount

        def log(state: str) -> None:
            amounts, taken = format_progress(done, total, unit), self.clock() - start
            logger.info("%s: %s%s after %s", what, state, amounts, format_seconds(taken))

        def log_until_ended() -> None:
            while not ended.wait(self.every_s):
                log("")

        logger.info("%s: started%s", what, f", {format_progress(0, total, unit)}" if total else "")
        thread = threading.Thread(target=log_until_ended, name=f"progress of {what}", daemon=True)
        thread.start()
        try:
            yield advance
        except BaseException:
            log("stopped at ")
            raise
        else:
            log("done, ")
        finally:
            ended.set()
            thread.join()


def format_progress(done: int, total: int | None, unit: str) -> str:
    """Return "12.3 of 308.6 MB (4 %)", "7 of 10 folds (70 %)" or, without a total, "12.3 MB"."""
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
    for step in _STEPS:
        if size < 1000 or step == _STEPS[-1]:
            break
        size /= 1000
    return f"{amount} bytes" if step == "bytes" else f"{size:.1f} {step}"


def format_seconds(seconds: float) -> str:
    """Return "4.2 s" or "3 min 20 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
