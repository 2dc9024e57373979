"""Progress reporters for tests: one records its tasks, one is interrupted."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Task:
    """A recorded task."""

    what: str
    total: int | None
    unit: str
    done: int = 0

    def __call__(self, amount: int) -> None:
        """Add the amount to what is done."""
        self.done += amount


@dataclass
class Watching:
    """Records its tasks in order."""

    tasks: list[Task] = field(default_factory=list)

    @contextlib.contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        """Record a task."""
        self.tasks.append(Task(title, total, unit))
        yield self.tasks[-1]


@dataclass
class Interrupted(Task):
    """A task that is interrupted by Ctrl-C once `at` units are done."""

    at: int = 0

    def __call__(self, amount: int) -> None:
        """Add the amount, and raise KeyboardInterrupt at the limit."""
        super().__call__(amount)
        if self.done >= self.at:
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Interrupting:
    """Starts tasks that are interrupted by Ctrl-C once `at` units are done."""

    at: int

    @contextlib.contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        """Start a task that is interrupted."""
        yield Interrupted(title, total, unit, at=self.at)
