"""Progress as bars that move, for somebody at a terminal."""

import contextlib
import io
import threading
from collections.abc import Iterator
from typing import TextIO, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lightmodel.progress.amounts import shown_amount
from lightmodel.progress.base import Steps


class _Forgiving(io.TextIOBase):
    """A terminal that may go away: what cannot be written is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override] # read-only here, as on every real stream
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _Bar:
    def __init__(self, bars: Progress, number: TaskID, total: int | None, unit: str) -> None:
        self._bars, self._number = bars, number
        self._lock = threading.Lock()
        self._done, self._total, self._unit = 0, total, unit

    def advance(self, amount: int = 1) -> None:
        """Move the bar."""
        with self._lock:
            self._done += amount
            self._draw()

    def _draw(self) -> None:
        amount = shown_amount(self._done, self._total, self._unit)
        self._bars.update(self._number, completed=self._done, total=self._total, amount=amount)


class TerminalProgress:
    """Draws a bar for each piece of work; all that run at the same time stand below one another."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=cast("TextIO", _Forgiving(stream)), highlight=False)
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._running = 0

    @contextlib.contextmanager
    def task(self, what: str, total: int | None = None, unit: str = "") -> Iterator[Steps]:
        """Draw a bar for `what` until the block ends; the finished bar stays."""
        bars = self._join()
        try:
            amount = shown_amount(0, total, unit)
            number = bars.add_task(what, total=total, amount=amount)
            yield _Bar(bars, number, total, unit)
        finally:
            self._leave()

    def _join(self) -> Progress:
        with self._lock:
            if self._bars is None:
                self._bars = Progress(*_columns(), console=self._console)
                self._bars.start()
            self._running += 1
            return self._bars

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0 and self._bars is not None:
                self._bars.stop()
                self._bars = None


def _columns() -> tuple[TextColumn | BarColumn | TimeElapsedColumn | TimeRemainingColumn, ...]:
    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
