"""Each trigger finds its cause, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightmodel.config import WatchSection
from lightmodel.contract.results import Interval
from lightmodel.watch.drift import DriftReport, Verdict
from lightmodel.watch.quality import State, VersionQuality
from lightmodel.watch.triggers import Observation, causes_of

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
SERVED, EARLIER = "20260109T000000000000Z-aaaaaa", "20260101T000000000000Z-bbbbbb"
QUIET = Observation(NOW, SERVED, NOW - timedelta(hours=3), "5ame", "5ame", labels=0)


def found(seen: Observation, **settings: Any) -> dict[str, str]:
    watch = WatchSection.model_validate(settings)
    return {cause.trigger: cause.reason for cause in causes_of(seen, watch)}


def drift_report(verdict: Verdict, version: str = SERVED) -> DriftReport:
    reason = "2 of 9 columns have drifted: age, price"
    return DriftReport(
        version, NOW.isoformat(), verdict, reason, 900, 900, 900, "", "", (), (), 0.01, 0.1
    )


def measured_quality(state: State, version: str = SERVED) -> VersionQuality:
    return VersionQuality(
        *(version, True, 900, 300, {}, "auc", 300, Interval(0.7, 0.65, 0.75)),
        *(None, 0, 0.8, state, ()),
    )


def test_where_nothing_has_happened_there_is_no_cause() -> None:
    assert found(QUIET, schedule="4h") == {}
    assert found(replace(QUIET, table=None, labels=None)) == {}


@pytest.mark.parametrize(
    ("schedule", "due"), [("", False), ("4h", False), ("3h", True), ("1m", True)]
)
def test_a_schedule_counts_from_the_last_training(schedule: str, due: bool) -> None:
    assert ("schedule" in found(QUIET, schedule=schedule)) == due


@pytest.mark.parametrize(
    ("schedule", "due"),
    [("08:59", False), ("09:00", False), ("09:01", True), ("11:30", True), ("12:30", False)],
)
def test_a_daily_schedule_is_due_once_after_its_time_of_day(schedule: str, due: bool) -> None:
    assert ("schedule" in found(QUIET, schedule=schedule)) == due


def test_a_daily_schedule_that_was_missed_yesterday_is_due() -> None:
    seen = replace(QUIET, since=NOW - timedelta(days=1))
    assert (
        "the last training was at 2026-01-09 12:00 UTC" in found(seen, schedule="12:30")["schedule"]
    )


def test_a_schedule_is_due_where_nothing_was_trained_yet() -> None:
    assert "nothing was trained yet" in found(replace(QUIET, since=None), schedule="7d")["schedule"]


def test_another_table_at_the_source_is_new_data() -> None:
    assert "new data at the source" in found(replace(QUIET, table="0ther"))["new_data"]
    first = found(replace(QUIET, trained_on=""))["new_data"]
    assert "data without a model at the source" in first


def test_drift_of_the_served_version_is_a_cause() -> None:
    reasons = found(replace(QUIET, drift=drift_report("drift")))
    assert reasons == {"drift": "drift: 2 of 9 columns have drifted: age, price"}
    assert found(replace(QUIET, drift=drift_report("stable"))) == {}
    assert found(replace(QUIET, drift=drift_report("none"))) == {}
    assert found(replace(QUIET, drift=drift_report("drift", EARLIER))) == {}


def test_fallen_quality_of_the_served_version_is_a_cause() -> None:
    reasons = found(replace(QUIET, quality=measured_quality("below")))
    expected = "live quality: auc 0.7000 on the last 300 labelled rows, below its bound 0.8000"
    assert reasons == {"quality": expected}
    for state in ("ok", "unsure", "none"):
        assert found(replace(QUIET, quality=measured_quality(state))) == {}
    assert found(replace(QUIET, quality=measured_quality("below", EARLIER))) == {}


def test_enough_labels_are_a_cause() -> None:
    assert found(replace(QUIET, labels=99), min_new_labels=100) == {}
    assert (
        "labels: 100 labelled rows"
        in found(replace(QUIET, labels=100), min_new_labels=100)["labels"]
    )


def test_only_the_chosen_triggers_are_asked() -> None:
    seen = replace(QUIET, table="0ther", drift=drift_report("drift"), labels=10_000)
    assert set(found(seen)) == {"new_data", "drift", "labels"}
    assert set(found(seen, train_on=["labels"])) == {"labels"}
    assert found(seen, train_on=[]) == {}


@pytest.mark.parametrize("value", ["tomorrow", "25:00", "4", "0", "04:00 UTC", "-1h"])
def test_a_schedule_that_is_none_is_refused(value: str) -> None:
    if value == "4":  # seconds
        assert WatchSection(schedule=value).schedule_s == 4
    else:
        with pytest.raises(ValueError, match="schedule"):
            WatchSection(schedule=value)


@pytest.mark.parametrize("name", ["cooldown", "measure_every"])
def test_a_duration_may_not_be_left_out(name: str) -> None:
    with pytest.raises(ValueError, match="write a duration"):
        WatchSection.model_validate({name: ""})
    assert WatchSection.model_validate({name: "0"}).cooldown_s in {0, 3600}
