"""Which processes are at work on a study, so that a dead one's trials can be made by others."""

import logging
import threading
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

logger = logging.getLogger(__name__)

WORKER = "worker"
BEAT_S, GRACE_S = 15, 60


class Presence(Protocol):
    """Says that this process lives, and fails the trials of those that do not."""

    worker: str

    def begin(self, trial_id: int) -> None:
        """Take note of a trial of this process."""
        ...

    def end(self, trial_id: int) -> None:
        """Take note that it has ended."""
        ...

    def fail_the_dead(self, study: "optuna.Study") -> None:
        """Fail the running trials of processes that are no more."""
        ...

    def close(self) -> None:
        """Be at work no more."""
        ...


class Alone:
    """Nobody else knows of a study in memory."""

    worker = "alone"

    def begin(self, trial_id: int) -> None:
        """Do nothing."""

    def end(self, trial_id: int) -> None:
        """Do nothing."""

    def fail_the_dead(self, study: "optuna.Study") -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class LockedFile:
    """A file locked for as long as the process lives: the system unlocks it, however that ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.worker = uuid.uuid4().hex
        self._folder = folder
        self._lock = FileLock(folder / self.worker, thread_local=False)
        self._lock.acquire()

    def begin(self, trial_id: int) -> None:
        """Do nothing: the lock speaks for all trials."""

    def end(self, trial_id: int) -> None:
        """Do nothing."""

    def fail_the_dead(self, study: "optuna.Study") -> None:
        """Fail the running trials whose process holds its lock no more."""
        from optuna.trial import TrialState

        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            worker = str(trial.user_attrs.get(WORKER, ""))
            if worker != self.worker and not self._lives(worker, trial):
                logger.info("trial %d was left by a process that died", trial.number)
                study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _lives(self, worker: str, trial: "FrozenTrial") -> bool:
        if worker:
            return self._is_locked(worker)
        # It says whose it is the moment after it was asked for, unless the process died in between.
        others = [path.name for path in self._folder.iterdir() if path.name != self.worker]
        return _is_fresh(trial) and any(self._is_locked(name) for name in others)

    def _is_locked(self, worker: str) -> bool:
        path = self._folder / worker
        if not path.exists():
            return False
        lock = FileLock(path, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
        path.unlink(missing_ok=True)
        return False

    def close(self) -> None:
        """Unlock it and take it away."""
        self._lock.release()
        with suppress(OSError):
            (self._folder / self.worker).unlink()


def _is_fresh(trial: "FrozenTrial") -> bool:
    started = trial.datetime_start or datetime.now()  # noqa: DTZ005 — as Optuna writes it
    return datetime.now() - started < timedelta(seconds=GRACE_S)  # noqa: DTZ005 — likewise


class Heartbeat:
    """A thread that tells the data base of every trial, again and again, that it is being made."""

    def __init__(self, beat: Callable[[int], None], leave: Callable[[], None]) -> None:
        """Begin.

        Args:
            beat: tells of a trial.
            leave: closes the connections, in the end.
        """
        self.worker = uuid.uuid4().hex
        self._beat = beat
        self._leave = leave
        self._own: set[int] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="heartbeat", daemon=True)
        self._thread.start()

    def begin(self, trial_id: int) -> None:
        """Speak for it from now on."""
        self._beat(trial_id)
        self._own.add(trial_id)

    def end(self, trial_id: int) -> None:
        """Be silent about it from now on."""
        self._own.discard(trial_id)

    def fail_the_dead(self, study: "optuna.Study") -> None:
        """Fail the running trials of which nothing was heard for a minute."""
        from optuna.storages import fail_stale_trials
        from optuna.trial import TrialState

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna calls it experimental, since years
            fail_stale_trials(study)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if WORKER not in trial.user_attrs and not _is_fresh(
                trial
            ):  # died before its first beat
                study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def close(self) -> None:
        """End the thread, and the connections."""
        self._over.set()
        self._thread.join()
        self._leave()

    def _go_on(self) -> None:
        while not self._over.wait(BEAT_S):
            for trial_id in tuple(self._own):
                try:
                    self._beat(trial_id)
                except Exception as error:  # noqa: BLE001 — a beat lost is no more than that
                    logger.debug("no heartbeat of trial %d: %s", trial_id, type(error).__name__)
