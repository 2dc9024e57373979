"""Progress that nobody watches: in tests, and when this package is used as a library."""

import contextlib
from collections.abc import Iterator

from lightmodel.progress.base import Steps


class _Nothing:
    def advance(self, amount: int = 1) -> None:
        """Take no notice."""


class SilentProgress:
    """Shows nothing."""

    @contextlib.contextmanager
    def task(self, what: str, total: int | None = None, unit: str = "") -> Iterator[Steps]:
        """Show nothing of `what`."""
        del what, total, unit
        yield _Nothing()
