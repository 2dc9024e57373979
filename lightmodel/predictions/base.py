"""Where logged answers and late truths end up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class Judged:
    """Answers of one model version whose truth has come, one for each id.

    Attributes:
        predictions: labels or numbers; a sink that keeps only text gives their text.
        probabilities: of the positive class, or {label: p}; None for regression.
        truths: as `Sink.add_truths` took them.
    """

    predictions: Sequence[Any]
    probabilities: Sequence[Any]
    truths: Sequence[str]


class Sink(Protocol):
    """Keeps answered rows and their truths. Used by one thread at a time.

    A batch is lines of JSON, each one object with `request`, `time` (UTC, ISO 8601), `version` and
    `rows`: lists of row (from 1), id (text or null), prediction, probability, features (object or
    null). (request, row) names a row for good. A batch is kept whole or not at all, whenever the
    process is killed; the same batch again changes nothing. What is kept is visible to the next call
    of any process.

    Nothing is opened before the first call. Every method raises SourceUnavailable when trying again
    later may help (and then works again by itself), `write` DataError when these bytes never will.
    """

    def write(self, lines: bytes) -> int:
        """Keep a batch; gives how many of its rows were not here before."""
        ...

    def add_truths(self, truths: Mapping[str, str], time: datetime) -> int:
        """Keep truths by id, over earlier ones; gives how many ids the log has answers for.

        A truth may come before its answer.
        """
        ...

    def answered(self) -> Mapping[str, int]:
        """Count the rows of each model version, oldest version first."""
        ...

    def judged(self, version: str) -> Judged:
        """Give what a version answered last for each id that has a truth, in the order of the ids."""
        ...

    def close(self) -> None:
        """Let go of what is open; the next call opens it again."""
        ...
