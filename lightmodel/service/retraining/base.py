"""The port through which the service starts a retraining."""

from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["queued", "running", "approved", "rejected", "failed"]


@dataclass(frozen=True)
class Job:
    """One retraining.

    Attributes:
        id: of the job.
        state: where it stands; "rejected" means that the quality gate said no.
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
    """Starts retrainings, one at a time, and tells how they go; also those of an earlier server."""

    def start(self) -> Job:
        """Start one.

        Raises:
            AlreadyRunning: one is under way.
            SourceUnavailable: whoever runs it does not answer.
        """
        ...

    def find(self, job: str) -> Job | None:
        """Give a job, or None where there is none of this id."""
        ...
