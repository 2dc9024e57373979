"""Pruning: delete answers, and labels without answers, that log.keep_days and log.max_mb exclude."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lightmodel.config import LogSection
from lightmodel.predictions.base import Sink, utc_text


@dataclass(frozen=True)
class Pruned:
    """What was, or in a dry run would be, deleted.

    Attributes:
        rows: the number of answered rows.
        labels: the number of labels that have no answer any more.
        before: answers and labels from before this time are concerned, and where the log is too large,
            some of the answers at it; None if there are none.
    """

    rows: int = 0
    labels: int = 0
    before: datetime | None = None


def prune(
    sink: Sink,
    limits: LogSection,
    now: datetime,
    *,
    dry_run: bool = False,
    stopped: Callable[[], bool] = bool,
) -> Pruned:
    """Delete the oldest rows beyond the limits, in batches; end early once `stopped` returns True.

    Others can write between two batches. A label is kept as long as its id has an answer.

    Raises:
        LightModelError: the database cannot be used (see `Sink`); what was deleted stays deleted.
    """
    days, bytes_kept = limits.keep_days, (limits.max_mb or 0) << 20
    before = None if days is None else now.astimezone(UTC) - timedelta(days=days)
    if dry_run:
        return _count(sink, before, sink.rows_beyond(bytes_kept) if bytes_kept else 0)
    rows = 0
    if before is not None:
        rows = _total(sink.delete_rows(before=utc_text(before)), stopped)
    if bytes_kept and (beyond := sink.rows_beyond(bytes_kept)):
        rows += _total(sink.delete_rows(most=beyond), stopped)
        before = _later(before, sink.oldest())
    labels = 0
    if before is not None:
        labels = _total(sink.delete_labels(utc_text(before)), stopped)
    if rows or labels:
        sink.shrink(stopped)
    return Pruned(rows, labels, before)


def _count(sink: Sink, before: datetime | None, beyond: int) -> Pruned:
    """Return what would be deleted: answers from before a time, at least the `beyond` oldest ones."""
    if beyond:
        before = _later(before, sink.oldest(beyond))
    if before is None:
        return Pruned()
    rows, labels = sink.count_before(utc_text(before))
    return Pruned(max(rows, beyond), labels, before)


def _later(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


def _total(batches: Iterator[int], stopped: Callable[[], bool]) -> int:
    """Delete batch by batch, until none is left or `stopped`; return how many were deleted in all."""
    total = 0
    while not stopped() and (number := next(batches, None)) is not None:
        total += number
    return total
