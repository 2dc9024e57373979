"""The triggers of a training: each looks at what a round has observed, and names a cause or none."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from lightmodel.config import WatchSection
from lightmodel.config.watching import TriggerName
from lightmodel.watch.drift import DriftReport
from lightmodel.watch.quality import VersionQuality


@dataclass(frozen=True)
class Observation:
    """What a round has observed; None where it does not know.

    Attributes:
        now: the time of the round.
        served: version of the newest approved model; "" if there is none.
        since: when the last training that ended with a verdict started, or the served model was made.
        table: sha256 of the table that data.source has now.
        trained_on: sha256 of the table of the last model that was tested; "" if there is none.
        drift: the last report.
        quality: the last measurement of the served version.
        labels: number of labelled rows since `since`.
        measured: whether drift and quality were measured in this round.
    """

    now: datetime
    served: str = ""
    since: datetime | None = None
    table: str | None = None
    trained_on: str = ""
    drift: DriftReport | None = None
    quality: VersionQuality | None = None
    labels: int | None = None
    measured: bool = False


@dataclass(frozen=True)
class Cause:
    """A cause of a training.

    Attributes:
        trigger: that found it.
        key: identifies it: as long as it is the same, so is the cause.
        reason: in words.
        may_last: whether another training may help although the last one ended with a verdict.
    """

    trigger: TriggerName
    key: str
    reason: str
    may_last: bool = False


def causes_of(seen: Observation, watch: WatchSection) -> Iterator[Cause]:
    """Yield the causes that the triggers of watch.train_on find."""
    for name in dict.fromkeys(watch.train_on):
        if (cause := _TRIGGERS[name](seen, watch)) is not None:
            yield cause


def schedule(seen: Observation, watch: WatchSection) -> Cause | None:
    """Find that the last training is longer ago than watch.schedule allows."""
    if not watch.schedule:
        return None
    if seen.since is None:
        return Cause("schedule", "", f"schedule ({watch.schedule}): nothing was trained yet")
    at = watch.schedule_at
    pause = timedelta(seconds=watch.schedule_s or 0)
    is_due = seen.since < _last(at, seen.now) if at else seen.now - seen.since >= pause
    if not is_due:
        return None
    before = f"{seen.since:%Y-%m-%d %H:%M} UTC"
    reason = f"schedule ({watch.schedule}): the last training was at {before}"
    return Cause("schedule", seen.since.isoformat(), reason)


def _last(at: time, now: datetime) -> datetime:
    """Return the last moment before now with this time of day."""
    today = datetime.combine(now.astimezone(UTC), at.replace(tzinfo=None), UTC)
    return today if today <= now else today - timedelta(days=1)


def new_data(seen: Observation, _: WatchSection) -> Cause | None:
    """Find that data.source has another table than the last tested model was trained on."""
    if seen.table is None or seen.table == seen.trained_on:
        return None
    what = "new data" if seen.trained_on else "data without a model"
    return Cause("new_data", seen.table, f"{what} at the source (sha256 {seen.table[:12]}…)")


def drift(seen: Observation, _: WatchSection) -> Cause | None:
    """Find that what the served version is asked or answers has drifted."""
    report = seen.drift
    if report is None or report.version != seen.served or report.verdict != "drift":
        return None
    return Cause("drift", report.version, f"drift: {report.reason}", may_last=True)


def quality(seen: Observation, _: WatchSection) -> Cause | None:
    """Find that the live quality of the served version is below its bound."""
    one = seen.quality
    if one is None or one.version != seen.served or one.state != "below" or one.recent is None:
        return None
    reason = (
        f"live quality: {one.metric} {one.recent.value:.4f} on the last {one.recent_rows:,} labelled rows, "
        f"below its bound {one.bound:.4f}"
    )
    return Cause("quality", one.version, reason, may_last=True)


def labels(seen: Observation, watch: WatchSection) -> Cause | None:
    """Find that watch.min_new_labels labelled rows have arrived since the last training."""
    if seen.labels is None or seen.labels < watch.min_new_labels:
        return None
    since = seen.since.isoformat() if seen.since else ""
    return Cause("labels", since, f"labels: {seen.labels:,} labelled rows since the last training")


_TRIGGERS: Mapping[TriggerName, Callable[[Observation, WatchSection], Cause | None]] = {
    "schedule": schedule,
    "new_data": new_data,
    "drift": drift,
    "quality": quality,
    "labels": labels,
}
