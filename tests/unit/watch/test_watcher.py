"""A watcher starts one training for all causes, waits where it must, and forgets none."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lightmodel.config import WatchSection
from lightmodel.errors import AlreadyRunning, SourceUnavailable
from lightmodel.notify.events import Event
from lightmodel.watch.jobs import Job, State
from lightmodel.watch.state import Attempt, StateFile, WatchState
from lightmodel.watch.triggers import Observation
from lightmodel.watch.watcher import Watcher
from tests.unit.watch.test_watch_triggers import SERVED, drift_report, measured_quality

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass
class FakeJobs:
    """Trainings that end when a test says so."""

    clock: Callable[[], datetime]
    jobs: list[Job] = field(default_factory=list)
    is_away: bool = False
    is_killed: bool = False

    def start(self, reason: str) -> Job:
        if self.is_killed:
            raise KeyboardInterrupt
        if self.is_away:
            raise SourceUnavailable("Jenkins does not answer")
        if self.jobs and self.jobs[-1].is_under_way:
            raise AlreadyRunning("training is running")
        job = Job(f"job-{len(self.jobs)}", "running", self.clock().isoformat(), reason=reason)
        self.jobs.append(job)
        return job

    def find(self, job_id: str) -> Job | None:
        return next((job for job in self.jobs if job.id == job_id), None)

    def latest(self) -> Job | None:
        return self.jobs[-1] if self.jobs else None

    def end(self, state: State = "approved", exit_code: int | None = 0) -> None:
        ended = None if exit_code is None else self.clock().isoformat()
        self.jobs[-1] = replace(self.jobs[-1], state=state, ended=ended, exit_code=exit_code)


class Bench:
    """A watcher with a clock, trainings and observations of the test's own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = START
        self.jobs = FakeJobs(lambda: self.now)
        self.events: list[Event] = []
        self.is_notifiable = True
        self.seen: dict[str, Any] = {"served": SERVED, "table": "0ld", "trained_on": "0ld"}
        self.busy: list[bool] = []
        self.states: list[WatchState] = []
        self.settings = WatchSection.model_validate(settings)
        self.file = StateFile(folder / "watch.json")
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a process after kill -9."""
        self.watcher = Watcher(
            *(self.settings, self.jobs, self.file, self._observe),
            *(self._notify, lambda: self.now),
        )

    def _notify(self, event: Event) -> bool:
        if self.is_notifiable:
            self.events.append(event)
        return self.is_notifiable

    def _observe(self, now: datetime, state: WatchState, *, busy: bool) -> Observation:
        self.busy.append(busy)
        self.states.append(state)
        since = datetime.fromisoformat(state.trained) if state.trained else START - 24 * HOUR
        return Observation(now, since=since, measured=True, **self.seen)

    def after(self, pause: timedelta, **seen: Any) -> str:
        """Let time pass and the world change, look, and return the reason of what is started."""
        self.now += pause
        self.seen |= seen
        job = self.watcher.round()
        return job.reason if job else ""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_without_a_cause_nothing_is_started(bench: Bench) -> None:
    assert bench.after(MINUTE) == ""
    assert bench.jobs.jobs == []


def test_one_cause_starts_one_training(bench: Bench) -> None:
    assert "new data" in bench.after(MINUTE, table="new")
    assert bench.after(MINUTE) == ""
    bench.jobs.end()
    bench.seen["trained_on"] = "new"
    assert bench.after(24 * HOUR) == ""
    assert len(bench.jobs.jobs) == 1


def test_causes_that_come_together_start_one_training_with_all_reasons(bench: Bench) -> None:
    reason = bench.after(MINUTE, table="new", labels=500, drift=drift_report("drift"))
    assert all(word in reason for word in ("new data", "drift:", "labels:"))
    assert len(bench.jobs.jobs) == 1


def test_a_cause_that_comes_during_a_training_starts_one_afterwards(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.after(MINUTE, table="new")
    for _ in range(3):
        assert bench.after(MINUTE, table="newer") == ""
    waits = [one for one in caplog.messages if "waits: training job-0 is under way" in one]
    assert len(waits) == 1
    assert bench.busy[1:] == [True] * 3
    bench.jobs.end()
    bench.seen["trained_on"] = "new"
    assert bench.after(MINUTE) == ""  # cool-down
    assert "new data" in bench.after(HOUR)
    assert len(bench.jobs.jobs) == 2


def test_the_cooldown_counts_from_the_end_of_whatever_training(bench: Bench) -> None:
    bench.jobs.start("POST /train")
    bench.now += 2 * HOUR
    bench.jobs.end()
    assert bench.after(59 * MINUTE, table="new") == ""
    assert "new data" in bench.after(2 * MINUTE)


@pytest.mark.parametrize(("state", "code"), [("approved", 0), ("rejected", 10)])
def test_a_table_that_was_trained_on_elsewhere_is_not_trained_on_again(
    bench: Bench, state: State, code: int
) -> None:
    bench.after(MINUTE, table="new")  # trained_on stays: Jenkins has a store of its own
    bench.jobs.end(state, code)
    assert bench.after(7 * 24 * HOUR) == ""
    assert "new data" in bench.after(MINUTE, table="newer")


def test_a_failed_training_is_tried_again_after_growing_pauses(bench: Bench) -> None:
    bench.after(MINUTE, table="new")
    pauses = []
    for _ in range(8):
        bench.jobs.end("failed", 65)
        ended, started = bench.now, ""
        while not started:
            started = bench.after(10 * MINUTE)
        pauses.append((bench.now - ended) / HOUR)
    assert pauses == [1, 2, 4, 8, 16, 24, 24, 24]


def test_without_a_cooldown_a_failed_training_is_still_not_repeated_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cooldown="0")
    bench.after(MINUTE, table="new")
    bench.jobs.end("failed", 65)
    assert bench.after(4 * MINUTE) == ""
    assert "new data" in bench.after(MINUTE, table="newer")  # another cause does not wait
    bench.jobs.end("failed", 65)
    assert "new data" in bench.after(5 * MINUTE)


def test_an_interrupted_training_is_started_again_at_once_but_only_once(bench: Bench) -> None:
    bench.after(MINUTE, table="new")
    bench.jobs.end("failed", None)
    assert "new data" in bench.after(timedelta(seconds=1))
    bench.jobs.end("failed", None)
    assert bench.after(MINUTE) == ""
    assert "new data" in bench.after(2 * HOUR)


def test_drift_that_a_training_did_not_remove_may_start_another_one_later(bench: Bench) -> None:
    assert "drift:" in bench.after(MINUTE, drift=drift_report("drift"))
    bench.jobs.end("rejected", 10)
    assert bench.after(30 * MINUTE) == ""
    assert "drift:" in bench.after(31 * MINUTE)
    bench.jobs.end("rejected", 10)
    assert bench.after(HOUR) == ""
    assert "drift:" in bench.after(HOUR)


def test_labels_are_counted_anew_after_a_training_with_a_verdict(bench: Bench) -> None:
    assert "labels:" in bench.after(MINUTE, labels=500)
    started = bench.jobs.jobs[0].started
    bench.jobs.end("rejected", 10)
    bench.after(MINUTE, labels=0)
    assert bench.file.read().trained == started
    assert "labels:" in bench.after(2 * HOUR, labels=500)


def test_a_watcher_that_was_killed_goes_on_where_it_was(bench: Bench) -> None:
    bench.after(MINUTE, table="new")
    bench.restart()
    assert bench.after(MINUTE) == ""
    bench.jobs.end("failed", 75)
    bench.restart()
    assert bench.after(MINUTE) == ""
    bench.restart()
    assert "new data" in bench.after(HOUR)


def test_killed_just_before_the_start_it_waits_and_does_not_start_twice(bench: Bench) -> None:
    bench.jobs.is_killed = True
    with pytest.raises(KeyboardInterrupt):
        bench.after(MINUTE, table="new")
    bench.jobs.is_killed = False
    bench.restart()
    assert bench.after(MINUTE) == ""
    assert "new data" in bench.after(HOUR)


def test_where_trainings_cannot_be_started_the_next_round_tries_again(bench: Bench) -> None:
    bench.jobs.is_away = True
    with pytest.raises(SourceUnavailable):
        bench.after(MINUTE, table="new")
    bench.jobs.is_away = False
    assert "new data" in bench.after(MINUTE)


def test_drift_and_fallen_quality_are_notified_when_they_begin(bench: Bench) -> None:
    bench.after(MINUTE, drift=drift_report("drift"), quality=measured_quality("below"))
    bench.restart()
    bench.after(MINUTE)
    assert [one.name for one in bench.events] == ["drift", "quality_fell"]
    assert "auc is 0.7000 on 300 labelled rows; the bound is 0.8000" in bench.events[1].body
    bench.after(MINUTE, drift=drift_report("none"))  # too few rows say nothing
    bench.after(MINUTE, drift=drift_report("drift"))
    assert len(bench.events) == 2
    bench.after(MINUTE, drift=drift_report("stable"), quality=measured_quality("unsure"))
    bench.after(MINUTE, drift=drift_report("drift"))
    assert [one.name for one in bench.events] == ["drift", "quality_fell", "drift"]


def test_what_nobody_was_notified_of_is_sent_once_it_can_be(bench: Bench) -> None:
    bench.is_notifiable = False
    bench.after(MINUTE, drift=drift_report("drift"), quality=measured_quality("below"))
    assert bench.file.read().notified == {}
    bench.is_notifiable = True
    bench.restart()
    bench.after(MINUTE)
    bench.after(MINUTE)
    assert [one.name for one in bench.events] == ["drift", "quality_fell"]
    assert bench.file.read().notified == {"drift": SERVED, "quality_fell": SERVED}


@pytest.mark.parametrize(
    "content",
    [
        '{"job": "',
        "[]",
        "",
        '{"attempts": {"drift": {}}}',
        '{"attempts": {}, "measured": "yesterday"}',
        '{"attempts": {}, "trained": "2026-01-10T12:00:00"}',
        '{"attempts": {}, "notified": null}',
        '{"attempts": {}, "job": 5}',
        '{"attempts": {"new_data": {"key": "new", "tries": 1, "next_try": ""}}}',
        '{"attempts": {"new_data": {"key": "new", "tries": null, "next_try": "2026-01-10T12:00Z"}}}',
    ],
)
def test_a_damaged_state_is_replaced_with_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    bench.file.path.write_text(content, encoding="utf-8")
    assert "new data" in bench.after(MINUTE, table="new")
    assert [one for one in caplog.messages if one.endswith("watching begins anew")]
    assert bench.file.read().job == "job-0"


def test_times_of_a_clock_that_was_ahead_count_as_never_with_one_warning_each(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = "2031-01-01T00:00:00+00:00"
    bench.file.write(WatchState(trained=ahead, measured=ahead))
    for _ in range(2):
        bench.after(MINUTE)
    state = bench.file.read()
    assert (state.trained, state.measured) == ("", bench.now.isoformat())
    warnings = [one for one in caplog.messages if "was a clock wrong?" in one]
    assert [ahead in one for one in warnings] == [True, True]
    assert bench.states[0] == WatchState()


def test_an_attempt_and_a_training_of_a_clock_that_was_ahead_hold_nothing_back(
    bench: Bench,
) -> None:
    bench.now += 5 * 365 * 24 * HOUR
    bench.after(MINUTE, table="new")
    bench.jobs.end("approved", 0)
    bench.now = START
    assert "drift:" in bench.after(MINUTE, drift=drift_report("drift"))
    bench.jobs.end("failed", 65)
    assert bench.after(MINUTE) == bench.file.read().trained == ""
    never = Attempt("new", 1, "2031-01-01T00:00:00+00:00")
    bench.file.write(WatchState(attempts={"new_data": never}))
    assert "new data" in bench.after(HOUR)


def test_a_killed_training_is_logged_with_its_signal(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.after(MINUTE, table="new")
    bench.jobs.end("failed", -9)
    assert bench.after(MINUTE) == ""  # where memory is short, it would be killed again
    assert "training job-0: failed: it was killed by signal 9 (out of memory?)" in caplog.text
