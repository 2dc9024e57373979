"""Retraining, started by the service: in a process of this machine, or as a Jenkins job."""

from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["queued", "running", "approved", "rejected", "failed"]


@dataclass(frozen=True)
class Job:
    """One retraining.

    Attributes:
        id: of the job.
        state: "rejected" means that the quality gate failed.
        started: UTC, in ISO format.
        ended: likewise; None while it runs.
        exit_code: of the chain; None while it runs, or where it is not known.
        url: where more can be read, if anywhere.
        last_lines: of its log.
    """

    id: str
    state: State
    started: str
    ended: str | None = None
    exit_code: int | None = None
    url: str | None = None
    last_lines: tuple[str, ...] = ()


class Retraining(Protocol):
    """Starts retrainings, one at a time, and finds them again, also those of an earlier server."""

    def start(self) -> Job:
        """Start one.

        Raises:
            AlreadyRunning: one is under way.
            SourceUnavailable: the system that runs it does not answer.
        """
        ...

    def find(self, job_id: str) -> Job | None:
        """Return a job, or None where there is none of this id."""
        ...
