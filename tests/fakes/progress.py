"""A progress that remembers what it was told."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Task:
    """One piece of work that was shown."""

    what: str
    total: int | None
    unit: str
    done: int = 0

    def __call__(self, amount: int) -> None:
        """Remember it."""
        self.done += amount


@dataclass
class Watching:
    """Remembers its tasks in order."""

    tasks: list[Task] = field(default_factory=list)

    @contextlib.contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        """Remember a task."""
        self.tasks.append(Task(title, total, unit))
        yield self.tasks[-1]


@dataclass
class Interrupted(Task):
    """Work at which somebody presses Ctrl-C once `at` units are done."""

    at: int = 0

    def __call__(self, amount: int) -> None:
        """Remember it, and then stop."""
        super().__call__(amount)
        if self.done >= self.at:
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Interrupting:
    """A progress at which somebody presses Ctrl-C once `at` units are done."""

    at: int

    @contextlib.contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        """Start work that will not end."""
        yield Interrupted(title, total, unit, at=self.at)
