"""Snapshots over time, and what happened between them."""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from lightmodel.console.failures import ServiceFailure
from lightmodel.console.watching.snapshot import Snapshot

_MAX_SNAPSHOTS = 2_000  # of more, every second one of the older half goes
_PERIODS = 60
_UNIT = 1_000  # rows
_Key = TypeVar("_Key", str, float)


class History:
    """Snapshots in the order of time; methods are safe to call from any thread.

    Attributes:
        failure: why the last look failed; None if it did not.
    """

    def __init__(self) -> None:
        self.failure: ServiceFailure | None = None
        self._snapshots: list[Snapshot] = []
        self._lock = threading.Lock()

    def add(self, snapshot: Snapshot) -> None:
        """Add a snapshot, unless it is no newer than the last one."""
        with self._lock:
            if self._snapshots and snapshot.time <= self._snapshots[-1].time:
                return
            self._snapshots.append(snapshot)
            if len(self._snapshots) > _MAX_SNAPSHOTS:
                half = len(self._snapshots) // 2
                self._snapshots[:half] = self._snapshots[:half:2]

    def since(self, time: float) -> tuple[Snapshot, ...]:
        """Return the snapshots from `time` on, and the last one before."""
        with self._lock:
            first = sum(one.time < time for one in self._snapshots)
            return tuple(self._snapshots[max(0, first - 1) :])


@cache
def shared_history() -> History:
    """Return the history that the console takes with its own key, for all sessions."""
    return History()


@dataclass(frozen=True)
class Period:
    """What happened in a period that ends at `end`, in seconds since 1970.

    Attributes:
        rows_per_minute: answered rows.
        median_s, slow_s: seconds that half, and 95 %, of the scoring requests took at most; None without
            one.
        failed: share of the scoring requests with an error; None without one.
        mean_score: mean probability of the positive class; None without one.
        unseen, missing, out_of_range: cells for each 1,000 rows; None without a row.
    """

    end: float
    rows_per_minute: float
    median_s: float | None
    slow_s: float | None
    failed: float | None
    mean_score: float | None
    unseen: float | None
    missing: float | None
    out_of_range: float | None


def periods_of(snapshots: Sequence[Snapshot], start: float, end: float) -> tuple[Period, ...]:
    """Return what happened from `start` to `end`, in periods of equal length.

    A period in which nobody looked is left out.
    """
    length = (end - start) / _PERIODS
    found = []
    before = snapshots[0] if snapshots else None
    for number in range(1, _PERIODS + 1):
        until = start + number * length
        inside = [one for one in snapshots if until - length < one.time <= until]
        if before and inside and inside[-1].time > before.time:
            found.append(_period(changes(before, inside[-1]), inside[-1].time - before.time, until))
        before = inside[-1] if inside else before
    return tuple(found)


def changes(before: Snapshot, after: Snapshot) -> Snapshot:
    """Return what the counters have counted between two snapshots; one that is smaller has started anew."""
    if after.requests < before.requests or after.rows < before.rows:
        before = Snapshot(before.time)
    return Snapshot(
        after.time,
        requests=after.requests - before.requests,
        failures=max(0.0, after.failures - before.failures),
        rows=after.rows - before.rows,
        seconds=_more(before.seconds, after.seconds),
        scores=_more(before.scores, after.scores),
        unseen=max(0.0, after.unseen - before.unseen),
        missing=_more(before.missing, after.missing),
        out_of_range=_more(before.out_of_range, after.out_of_range),
    )


def _more(before: Mapping[_Key, float], after: Mapping[_Key, float]) -> dict[_Key, float]:
    return {key: max(0.0, value - before.get(key, 0.0)) for key, value in after.items()}


def _period(counted: Snapshot, seconds: float, end: float) -> Period:
    return Period(
        end,
        rows_per_minute=60 * counted.rows / seconds,
        median_s=quantile(counted.seconds, 0.5),
        slow_s=quantile(counted.seconds, 0.95),
        failed=counted.failures / counted.requests if counted.requests else None,
        mean_score=_mean(counted.scores),
        unseen=_per_rows(counted.unseen, counted.rows),
        missing=_per_rows(sum(counted.missing.values()), counted.rows),
        out_of_range=_per_rows(sum(counted.out_of_range.values()), counted.rows),
    )


def quantile(cumulative: Mapping[float, float], share: float) -> float | None:
    """Return a quantile of a Prometheus histogram, by upper edge → count; None if it is empty.

    Inside of a bucket, values are taken as spread evenly.
    """
    total = max(cumulative.values(), default=0.0)
    if not total:
        return None
    low, below = 0.0, 0.0
    for edge, count in cumulative.items():
        if count >= share * total:
            if math.isinf(edge):
                return low
            return low + (edge - low) * (share * total - below) / (count - below)
        low, below = edge, count
    return low


def _mean(scores: Mapping[float, float]) -> float | None:
    """Return the mean of scores, each taken as the middle of its bin, of which there are twenty."""
    total = sum(scores.values())
    if not total:
        return None
    return sum((edge - 0.025) * count for edge, count in scores.items()) / total


def _per_rows(count: float, rows: float) -> float | None:
    return _UNIT * count / rows if rows else None
