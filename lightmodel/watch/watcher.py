"""The watcher: observe, find causes, and start one training for all of them, not too often.

Causes are found anew in each round and last until a training has removed them: so a cause that comes while
a training is under way is not forgotten, and two causes start one training.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from lightmodel.config import Config, WatchSection
from lightmodel.errors import AlreadyRunning, LightModelError
from lightmodel.files import file_lock
from lightmodel.notify.events import Drift, Event, QualityFell
from lightmodel.predictions.factory import log_folder
from lightmodel.watch.jobs import Job, TrainingJobs, reason_text
from lightmodel.watch.observer import Observer
from lightmodel.watch.state import Attempt, StateFile, WatchState
from lightmodel.watch.times import is_ahead
from lightmodel.watch.triggers import Cause, Observation, causes_of

logger = logging.getLogger(__name__)

_SHORTEST_BACK_OFF = timedelta(minutes=5)
_LONGEST_BACK_OFF = timedelta(days=1)

# Notifies of an event, and returns whether its messages are kept until they are delivered.
NotifySurely = Callable[[Event], bool]


class Observe(Protocol):
    """Observes what triggers look at; see `Observer`."""

    def __call__(self, now: datetime, state: WatchState, *, busy: bool) -> Observation:
        """Return what there is to see now."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Watcher:
    """Watches one store; one watcher at a time."""

    watch: WatchSection
    jobs: TrainingJobs
    state: StateFile
    observe: Observe
    notify: NotifySurely
    clock: Callable[[], datetime] = _now
    _waiting: str = field(default="", init=False)

    def round(self) -> Job | None:
        """Look once, and start a training if there is a cause; return that.

        Raises:
            LightModelError: what starts trainings does not answer, or the state cannot be written.
        """
        now, latest = self.clock(), self.jobs.latest()
        busy = latest is not None and latest.is_under_way
        state = self._ended(self.state.read_at(now), latest, now)
        seen = self.observe(now, state, busy=busy)
        if seen.measured:
            state = replace(state, measured=now.isoformat())
        state = self._notified(state, seen)
        self.state.write(state)
        causes = [one for one in causes_of(seen, self.watch) if not _is_settled(one, state)]
        due = [one for one in causes if self._is_due(one, state, now)]
        held_back = self._held_back(now, latest, due)
        if due and not held_back:
            return self._start(state, now, due)
        self._say_waiting(
            causes, held_back or "a training for it has been tried, and the next one is due later"
        )
        return None

    def _ended(self, state: WatchState, latest: Job | None, now: datetime) -> WatchState:
        """Record the end of the training that this watcher started, or of another one."""
        if state.job:
            job = self.jobs.find(state.job) or latest
            if job is None or not job.is_under_way:
                logger.info("training %s: %s", state.job, job.outcome if job else "is not known")
                state = _with_end(state, job, now)
        has_verdict = latest is not None and latest.state in {"approved", "rejected"}
        if latest and has_verdict and not is_ahead(latest.began, now):
            state = replace(state, trained=max(state.trained, latest.started))
        return state

    def _held_back(self, now: datetime, latest: Job | None, due: Sequence[Cause]) -> str:
        """Return why no training may start now; "" if one may."""
        if latest is None or not due:
            return ""
        if latest.is_under_way:
            return f"training {latest.id} is under way"
        ends = latest.last_time + timedelta(seconds=self.watch.cooldown_s)
        is_past = now >= ends or is_ahead(latest.last_time, now)
        if not is_past and not latest.was_interrupted:
            return f"watch.cooldown lasts until {ends:%Y-%m-%d %H:%M:%S} UTC"
        return ""

    def _start(self, state: WatchState, now: datetime, due: Sequence[Cause]) -> Job | None:
        reason = reason_text("; ".join(one.reason for one in due))
        tried: dict[str, Attempt] = {one.trigger: self._attempt(one, state, now) for one in due}
        # Before the start: killed in between, a cause waits, and does not start two trainings.
        self.state.write(replace(state, reason=reason, attempts={**state.attempts, **tried}))
        try:
            job = self.jobs.start(reason)
        except LightModelError as error:
            self.state.write(state)
            if isinstance(error, AlreadyRunning):
                self._say_waiting(due, error.message)
                return None
            raise
        started = {name: replace(one, job=job.id) for name, one in tried.items()}
        attempts = {**state.attempts, **started}
        self.state.write(replace(state, job=job.id, reason=reason, attempts=attempts))
        self._waiting = ""
        logger.info("training %s started because of: %s", job.id, reason)
        return job

    def _is_due(self, cause: Cause, state: WatchState, now: datetime) -> bool:
        """Return whether the pause before another training for a cause is over; no pause is longer."""
        next_try = _next_try(cause, state)
        return now >= next_try or is_ahead(next_try, now + self._longest_pause)

    @property
    def _longest_pause(self) -> timedelta:
        return max(timedelta(seconds=self.watch.cooldown_s), _LONGEST_BACK_OFF)

    def _attempt(self, cause: Cause, state: WatchState, now: datetime) -> Attempt:
        before = state.attempts.get(cause.trigger)
        tries = before.tries + 1 if before and before.key == cause.key else 1
        cooldown = timedelta(seconds=self.watch.cooldown_s)
        # 2 ** tries would exceed what a timedelta holds after some weeks
        wait = min(max(cooldown, _SHORTEST_BACK_OFF) * 2 ** min(tries - 1, 10), self._longest_pause)
        return Attempt(cause.key, tries, (now + wait).isoformat())

    def _say_waiting(self, causes: Sequence[Cause], why: str) -> None:
        """Log what waits, once for each change of it."""
        waiting = f"{'; '.join(one.reason for one in causes)}: waits: {why}" if causes else ""
        if waiting and waiting != self._waiting:
            logger.info("%s", waiting)
        self._waiting = waiting

    def _notified(self, state: WatchState, seen: Observation) -> WatchState:
        """Notify of drift and of fallen quality when they begin, or once somebody can be notified."""
        notified = dict(state.notified)
        for event, version, is_there in _events(seen):
            if is_there and notified.get(event.name) != version and self.notify(event):
                notified[event.name] = version
            elif not is_there:
                notified.pop(event.name, None)
        return replace(state, notified=notified)


def _events(seen: Observation) -> list[tuple[Event, str, bool]]:
    """Return the events that a measurement of the served version decides, and whether they are there."""
    events: list[tuple[Event, str, bool]] = []
    drift, quality = seen.drift, seen.quality
    if drift and drift.version == seen.served and drift.verdict != "none":
        event = Drift(drift.drifted, drift.compared)
        events.append((event, drift.version, drift.verdict == "drift"))
    if quality and quality.version == seen.served and quality.recent and quality.bound is not None:
        value, rows = quality.recent.value, quality.recent_rows
        fell = QualityFell(quality.version, quality.metric, value, quality.bound, rows)
        events.append((fell, quality.version, quality.state == "below"))
    return events


def _with_end(state: WatchState, job: Job | None, now: datetime) -> WatchState:
    """Return the state after the end of its training."""

    def ended(attempt: Attempt) -> Attempt:
        if job is None or attempt.job != state.job:
            return attempt
        if job.was_interrupted and attempt.tries == 1:
            return replace(attempt, next_try=now.isoformat())
        return replace(attempt, ended_well=job.state in {"approved", "rejected"})

    return replace(
        state, job="", attempts={name: ended(one) for name, one in state.attempts.items()}
    )


def _is_settled(cause: Cause, state: WatchState) -> bool:
    """Return whether a training for this cause has done what can be done."""
    attempt = state.attempts.get(cause.trigger)
    same = attempt is not None and attempt.key == cause.key
    return bool(same and attempt and attempt.ended_well and not cause.may_last)


def _next_try(cause: Cause, state: WatchState) -> datetime:
    """Return the earliest time of a training for this cause."""
    attempt = state.attempts.get(cause.trigger)
    if attempt is None or attempt.key != cause.key:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.fromisoformat(attempt.next_try)


def open_watcher(config: Config, jobs: TrainingJobs, notify: NotifySurely) -> Watcher:
    """Return the watcher of the configuration's store, with its state beside the prediction log."""
    state = StateFile(log_folder(config) / "watch.json")
    return Watcher(config.watch, jobs, state, Observer(config, notify), notify)


@contextmanager
def watch_lock(config: Config) -> Iterator[None]:
    """Lock a store for one watcher, until the end of the block or of the process.

    Raises:
        AlreadyRunning: another watcher holds the lock.
    """
    try:
        with file_lock(log_folder(config) / "watch.lock", timeout_s=0):
            yield
    except TimeoutError:
        raise AlreadyRunning(
            f"another process watches the store {config.store.root.resolve().name}",
            hint="one is enough; or give this one a store.root of its own",
        ) from None
