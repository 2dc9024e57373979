"""Telling somebody who waits that something goes on."""

from contextlib import AbstractContextManager
from typing import Protocol


class Steps(Protocol):
    """One piece of work under way."""

    def advance(self, amount: int = 1) -> None:
        """Say that `amount` more units are done."""
        ...


class Progress(Protocol):
    """Shows work under way. It never raises, whatever becomes of the terminal, and is thread-safe."""

    def task(
        self, what: str, total: int | None = None, unit: str = ""
    ) -> AbstractContextManager[Steps]:
        """Start to show `what`; `unit` is "bytes" or the plural of what is counted."""
        ...
