"""Trainings that are started from outside a run: the protocol of what starts and follows them."""

import signal
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from lightmodel.watch.times import Time

State = Literal["queued", "running", "approved", "rejected", "failed", "stopped"]

MOST_CHARACTERS = 300
_RESUMES = "the next run keeps the folds that it had finished"


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        state: "rejected" means that the quality gate failed, "stopped" that somebody ended it.
        started: the time in UTC, in ISO format.
        ended: likewise; None while it runs, or if it is not known.
        exit_code: the exit code of the chain; None while it runs, or if it is not known.
        url: the Jenkins job or build, if there is one.
        last_lines: the last lines of the log.
        reason: why it was started.
    """

    id: str
    state: State
    started: Time
    ended: Time | None = None
    exit_code: int | None = None
    url: str | None = None
    last_lines: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in {"queued", "running"}

    @property
    def was_interrupted(self) -> bool:
        """Whether it ended without an exit code, as where its machine or container was stopped."""
        return self.state == "failed" and self.exit_code is None and self.url is None

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it, alone or with its machine or container."""
        return self.was_interrupted or (self.exit_code or 0) < 0

    @property
    def outcome(self) -> str:
        """Its state in words, with what to do about it where that is not in its output."""
        if self.was_interrupted:
            return (
                f"{self.state}: it was stopped, perhaps with its machine or container; {_RESUMES}"
            )
        if self.state == "stopped":
            return f"{self.state}; {_RESUMES}"
        if self.exit_code is not None and self.exit_code < 0:
            number = -self.exit_code
            memory = " (out of memory?)" if number == signal.SIGKILL else ""
            return f"{self.state}: it was killed by signal {number}{memory}; {_RESUMES}"
        return self.state

    @property
    def began(self) -> datetime:
        """When it started."""
        return datetime.fromisoformat(self.started)

    @property
    def last_time(self) -> datetime:
        """When it ended; while that is not known, when it started."""
        return datetime.fromisoformat(self.ended or self.started)


class TrainingJobs(Protocol):
    """Starts trainings, one at a time, and knows them afterwards, in whatever process it is asked.

    Every method raises SourceUnavailable where something outside does not answer.
    """

    def start(self, reason: str) -> Job:
        """Start a training.

        Raises:
            AlreadyRunning: one is queued or running.
        """
        ...

    def find(self, job_id: str) -> Job | None:
        """Return a training by its id; None where there is none."""
        ...

    def latest(self) -> Job | None:
        """Return the training that started last, whoever started it; None where there is none."""
        ...


def reason_text(text: str) -> str:
    """Return a reason as one line of printable characters, of limited length."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 1]}…"
