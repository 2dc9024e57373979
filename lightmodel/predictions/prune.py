"""Pruning: delete answers, and labels without answers, that log.keep_days and log.max_mb exclude."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lightmodel.config import LogSection
from lightmodel.predictions.base import Sink, utc_text

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Pruned:
    """What was, or in a dry run would be, deleted.

    Attributes:
        rows: the number of answered rows.
        labels: the number of labels that have no answer any more.
        before: answers and labels from before this time are concerned; None if there are none.
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
    times = []
    if limits.keep_days is not None:
        times.append(now.astimezone(UTC) - timedelta(days=limits.keep_days))
    if limits.max_mb is not None and (newest := sink.newest_beyond(limits.max_mb << 20)):
        times.append(newest + _TICK)
    if not times:
        return Pruned()
    before = max(times)
    text = utc_text(before)
    if dry_run:
        return Pruned(*sink.count_before(text), before)
    rows = _total(lambda: sink.delete_rows(text), stopped)
    labels = _total(lambda: sink.delete_labels(text), stopped)
    if rows or labels:
        sink.shrink(stopped)
    return Pruned(rows, labels, before)


def _total(delete: Callable[[], int], stopped: Callable[[], bool]) -> int:
    """Repeat `delete` until it deletes nothing; return how many it deleted in all."""
    total = 0
    while not stopped() and (number := delete()):
        total += number
    return total
