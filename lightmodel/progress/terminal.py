"""Progress bars on a terminal."""

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lightmodel.progress import Advance, format_progress


class _SafeStream:
    """A terminal that may be closed at any time; text that cannot be written is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 — any attribute of a stream
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _AmountColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Return the finished amount of a task."""
        total = None if task.total is None else int(task.total)
        return Text(format_progress(int(task.completed), total, task.fields["unit"]))


class TerminalProgress:
    """Draws a bar for each task; bars of concurrent tasks are stacked."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=cast("TextIO", _SafeStream(stream)), highlight=False)
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._running = 0

    @contextlib.contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
        """Draw a bar for `title` until the block ends; the finished bar stays visible."""
        bars = self._start()
        try:
            yield partial(bars.advance, bars.add_task(title, total=total, unit=unit))
        finally:
            self._end()

    def _start(self) -> Progress:
        with self._lock:
            if self._bars is None:
                self._bars = Progress(
                    TextColumn("{task.description}", markup=False),
                    BarColumn(),
                    _AmountColumn(),
                    TimeElapsedColumn(),
                    TimeRemainingColumn(),
                    console=self._console,
                )
                self._bars.start()
            self._running += 1
            return self._bars

    def _end(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0 and self._bars is not None:
                self._bars.stop()
                self._bars = None
