"""The errors that a user can meet, as a small class hierarchy.

A message says what is wrong, with names and counts; a hint says what to do next, ideally a command.
Neither ever holds a cell value of the user's data, a secret or a traceback. `lightmodel.cli` maps each
class to an exit code, `lightmodel.service` to an HTTP status.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

SHOWN_ROWS = 5
SHOWN_VIOLATIONS = 20


class LightModelError(Exception):
    """Base class of errors that are reported as a message and a hint, without a traceback."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(LightModelError):
    """A setting is invalid, or something that it needs is not installed.

    `mistakes` holds the full name of each invalid setting, such as "train.folds", and what is wrong; the
    name is "" where a mistake is about none.
    """

    def __init__(
        self, message: str, *, hint: str = "", mistakes: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.mistakes = tuple(mistakes)


class DataError(LightModelError):
    """The table cannot be used as it is."""


@dataclass(frozen=True)
class Violation:
    """One rule of the contract that one column breaks.

    `rows` holds the 1-based numbers of at most five data rows (the header does not count); `total` is
    the number of rows that break the rule, 0 when the rule is about the column as a whole.
    """

    column: str
    rule: str
    detail: str
    rows: tuple[int, ...] = ()
    total: int = 0

    def shifted(self, rows: int) -> "Violation":
        """Return it with the numbers of rows that so many others precede."""
        return replace(self, rows=tuple(row + rows for row in self.rows))

    def __str__(self) -> str:
        location = ""
        if self.total:
            numbers = ", ".join(str(row) for row in self.rows)
            more = ", …" if self.total > len(self.rows) else ""
            location = f" (row{'s' if self.total > 1 else ''} {numbers}{more}; {self.total} in all)"
        subject = f"column {self.column!r}: " if self.column else ""
        return f"{subject}{self.detail}{location}"


class ContractViolation(DataError):
    """The table breaks the data contract; `violations` holds each broken rule."""

    def __init__(self, violations: Sequence[Violation], *, what: str, hint: str = "") -> None:
        self.violations = tuple(violations)
        self.what = what
        lines = [f"  - {violation}" for violation in self.violations[:SHOWN_VIOLATIONS]]
        if len(self.violations) > SHOWN_VIOLATIONS:
            lines.append(f"  - … and {len(self.violations) - SHOWN_VIOLATIONS} more")
        count = len(self.violations)
        head = f"{what} breaks {count} rule{'s' if count != 1 else ''} of the data contract:"
        super().__init__("\n".join([head, *lines]), hint=hint)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return how to make the error again in another process."""
        return partial(ContractViolation, what=self.what, hint=self.hint), (self.violations,)


class DriftExceeded(DataError):
    """A table has drifted from the last accepted one, or what is asked of a model from its training.

    The limits are `data.max_drift` and `watch.max_drift`.
    """


class NoVerdict(LightModelError):
    """There are too few rows to say whether a model in service does well."""


class TooLarge(DataError):
    """The table has more bytes, rows or columns than the service accepts."""


class SourceUnavailable(LightModelError):
    """A source did not answer, or sent an incomplete file; a retry may succeed."""


class QuotaExceeded(SourceUnavailable):
    """The source refuses a download because its quota is used up."""


class ArtefactMissing(LightModelError):
    """A split, a model or a verdict that a command needs is not in the store."""


class ChangeRefused(ArtefactMissing):
    """A model cannot be promoted, withdrawn or removed as the store is, such as the only approved one."""


class ReadOnlyStore(ConfigError):
    """The store of models cannot be written to from here, such as that in an image."""


class ArtefactCorrupt(LightModelError):
    """An artefact does not match the hash in its manifest, or its signature is invalid."""


class QualityGateFailed(LightModelError):
    """The candidate failed the quality gate, or the served model is worse than it may be."""


class NotReproduced(LightModelError):
    """A retrained model differs from the original, byte for byte."""


class AlreadyRunning(LightModelError):
    """Another run is in progress on the same store."""


class DeployFailed(LightModelError):
    """A deployment was rolled back, because the new version failed its smoke test."""


class NotPossible(LightModelError):
    """This installation cannot do what was asked, such as train where only serving is installed."""


class StorageFull(LightModelError):
    """A write failed because the disk, or the quota on it, is full."""


def raised_at(error: BaseException, function: Callable[..., Any]) -> str:
    """Return " in line 3 of own.py (total = 1 / rows)": where a user's function failed.

    It is the last line of the function's own file; if none is known, of any file. The text of the error is
    not part of it, since that may hold a value of the table.
    """
    lines = traceback.extract_tb(error.__traceback__)
    file = getattr(getattr(function, "__code__", None), "co_filename", lines[-1].filename)
    line = next((one for one in reversed(lines) if one.filename == file), lines[-1])
    text = f" ({line.line})" if line.line else ""
    return f" in line {line.lineno} of {line.filename}{text}"
