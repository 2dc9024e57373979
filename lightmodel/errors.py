"""The errors that a user can meet, as a small tree.

A message says what is wrong, with names and counts; a hint says what to do next, ideally a command.
Neither ever holds a cell value of somebody's data, a secret or a traceback. The exit code of each
stands in `lightmodel.cli`, the HTTP status in `lightmodel.service`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN_ROWS = 5
SHOWN_VIOLATIONS = 20


class LightModelError(Exception):
    """Base of everything that is reported as one message and a hint, without a traceback."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(LightModelError):
    """A setting is wrong, or something that it asks for is not installed."""


class DataError(LightModelError):
    """The table cannot be used as it is."""


@dataclass(frozen=True)
class Violation:
    """One rule that one column breaks.

    `rows` are 1-based numbers of data rows (the header does not count), at most five;
    `total` is how many rows break the rule, 0 when the rule is about the column as a whole.
    """

    column: str
    rule: str
    detail: str
    rows: tuple[int, ...] = ()
    total: int = 0

    def __str__(self) -> str:
        where = ""
        if self.total:
            numbers = ", ".join(str(row) for row in self.rows)
            more = ", …" if self.total > len(self.rows) else ""
            where = f" (row{'s' if self.total > 1 else ''} {numbers}{more}; {self.total} in all)"
        subject = f"column {self.column!r}: " if self.column else ""
        return f"{subject}{self.detail}{where}"


class ContractViolation(DataError):
    """The table breaks the data contract; `violations` holds every rule that it breaks."""

    def __init__(self, violations: Sequence[Violation], *, what: str, hint: str = "") -> None:
        self.violations = tuple(violations)
        lines = [f"  - {violation}" for violation in self.violations[:SHOWN_VIOLATIONS]]
        if len(self.violations) > SHOWN_VIOLATIONS:
            lines.append(f"  - … and {len(self.violations) - SHOWN_VIOLATIONS} more")
        count = len(self.violations)
        head = f"{what} breaks {count} rule{'s' if count != 1 else ''} of the data contract:"
        super().__init__("\n".join([head, *lines]), hint=hint)


class DriftExceeded(DataError):
    """The table has moved further from the last accepted one than `data.max_drift` allows."""


class TooLarge(DataError):
    """The table has more bytes, rows or columns than the service takes."""


class SourceUnavailable(LightModelError):
    """A source did not answer, or not with the whole file. The only error worth a retry."""


class QuotaExceeded(SourceUnavailable):
    """The source refuses because its download quota is used up."""


class ArtefactMissing(LightModelError):
    """A split, a model or a verdict that this step needs is not in the store."""


class ArtefactCorrupt(LightModelError):
    """An artefact's bytes do not hash to its manifest, or its signature does not hold."""


class QualityGateFailed(LightModelError):
    """The candidate failed the quality gate; the served model is unchanged."""


class NotReproduced(LightModelError):
    """A retrained model differs from the original, byte for byte."""


class AlreadyRunning(LightModelError):
    """Another run is under way on the same store."""


class DeployFailed(LightModelError):
    """A deployment was rolled back, because the new version failed its smoke test."""


class NotPossible(LightModelError):
    """This installation cannot do what was asked, e.g. train where only serving is installed."""


class StorageFull(LightModelError):
    """A write failed because the disk, or the quota on it, is full."""
