"""Progress of work that somebody waits for: the protocol, the silent one, and how amounts are written."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

_STEPS = ("bytes", "kB", "MB", "GB", "TB")


class ProgressBar(Protocol):
    """One piece of work under way."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more units as done."""
        ...


class Progress(Protocol):
    """Shows work under way. It never raises, whatever becomes of the terminal, and is thread-safe."""

    def task(
        self, what: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[ProgressBar]:
        """Start to show `what`; `unit` is "bytes" or the plural of what is counted."""
        ...


class _SilentBar:
    def advance(self, amount: int = 1) -> None:
        """Do nothing."""


class SilentProgress:
    """Shows nothing: for tests, and for who uses this package as a library."""

    @contextlib.contextmanager
    def task(self, what: str, total: int | None = None, unit: str = "") -> Iterator[ProgressBar]:
        """Show nothing of `what`."""
        del what, total, unit
        yield _SilentBar()


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
