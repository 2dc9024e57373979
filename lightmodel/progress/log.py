"""Progress as lines of the log, for wherever nobody looks at a terminal."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lightmodel.progress.amounts import shown_amount, shown_seconds
from lightmodel.progress.base import Steps

logger = logging.getLogger(__name__)


class _Count:
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
            return shown_amount(self._done, self._total, self._unit)


@dataclass(frozen=True)
class LogProgress:
    """Writes a line when work starts, one every `every_s` seconds, and one when it ends.

    The lines come from a thread of their own: work that hangs is told of as well.
    """

    every_s: float = 10.0
    clock: Callable[[], float] = time.monotonic

    @contextlib.contextmanager
    def task(self, what: str, total: int | None = None, unit: str = "") -> Iterator[Steps]:
        """Write about `what` until the block ends."""
        count, over, start = _Count(total, unit), threading.Event(), self.clock()

        def tell(state: str) -> None:
            logger.info(
                "%s: %s%s after %s", what, state, count, shown_seconds(self.clock() - start)
            )

        def tell_now_and_then() -> None:
            while not over.wait(self.every_s):
                tell("")

        logger.info("%s: started%s", what, f", {shown_amount(0, total, unit)}" if total else "")
        teller = threading.Thread(target=tell_now_and_then, name=f"progress of {what}", daemon=True)
        teller.start()
        try:
            yield count
        except BaseException:
            tell("stopped at ")
            raise
        else:
            tell("done, ")
        finally:
            over.set()
            teller.join()
