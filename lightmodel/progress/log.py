"""Progress as lines of the log, for wherever nobody looks at a terminal."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lightmodel.progress.base import ProgressBar, format_progress, format_seconds

logger = logging.getLogger(__name__)


class _Counter:
    def __init__(self, total: int | None, unit: str) -> None:
        self._lock = threading.Lock()
        self._done = 0
        self._total = total
        self._unit = unit

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more."""
        with self._lock:
            self._done += amount

    def __str__(self) -> str:
        with self._lock:
            return format_progress(self._done, self._total, self._unit)


@dataclass(frozen=True)
class LogProgress:
    """Writes a line when work starts, one every `every_s` seconds, and one when it ends.

    The lines come from a thread of their own, so that work that hangs is logged as well.
    """

    every_s: float = 10.0
    clock: Callable[[], float] = time.monotonic

    @contextlib.contextmanager
    def task(self, what: str, total: int | None = None, unit: str = "") -> Iterator[ProgressBar]:
        """Write about `what` until the block ends."""
        counter, ended, start = _Counter(total, unit), threading.Event(), self.clock()

        def log(state: str) -> None:
            taken = format_seconds(self.clock() - start)
            logger.info("%s: %s%s after %s", what, state, counter, taken)

        def log_until_ended() -> None:
            while not ended.wait(self.every_s):
                log("")

        logger.info("%s: started%s", what, f", {counter}" if total else "")
        thread = threading.Thread(target=log_until_ended, name=f"progress of {what}", daemon=True)
        thread.start()
        try:
            yield counter
        except BaseException:
            log("stopped at ")
            raise
        else:
            log("done, ")
        finally:
            ended.set()
            thread.join()
