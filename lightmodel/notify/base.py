"""The port through which people are told what happened."""

from typing import Protocol


class Notifier(Protocol):
    """Tells people something.

    It is told after the work is done, and never in its way: a channel that fails or hangs costs a warning
    and at most the configured time, never an exception. What it says of a failure holds no secret.
    """

    def send(self, title: str, body: str) -> bool:
        """Say it on every channel; False where one of them did not take it."""
        ...
