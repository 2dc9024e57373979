"""Store the trials of a study, and recognise those whose process died."""

import logging
import threading
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.files import translate_os_errors

logger = logging.getLogger(__name__)

WORKER = "worker"  # the attribute of a trial that names its process
_HEARTBEAT_S, _GRACE_S = 15, 60


class StudyStorage(Protocol):
    """Stores trials of several processes, and recognises those whose process died.

    Attributes:
        worker: a unique name of this process.
    """

    worker: str

    @property
    def optuna(self) -> BaseStorage:
        """Return Optuna's storage."""
        ...

    def start_heartbeat(self, trial_id: int) -> None:
        """Signal to other processes that this one is running a trial."""
        ...

    def stop_heartbeat(self, trial_id: int) -> None:
        """Stop the signal: the trial has ended."""
        ...

    def is_stale(self, trial: FrozenTrial) -> bool:
        """Return whether a running trial's process died without Optuna noticing."""
        ...

    def close(self) -> None:
        """Release locks, threads and connections of this process."""
        ...


class FolderStorage:
    """A journal file that the processes of one machine share.

    Each process locks a file named after it. The operating system releases the lock however the process
    ends, so its trials are recognised as stale at once; Optuna's own journal lock outlives its process.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal of a study, and lock a file for this process.

        Raises:
            StorageFull, LightModelError: the folder cannot be written.
        """
        self.worker = uuid.uuid4().hex
        self._workers = folder / "workers"
        self._lock = FileLock(self._workers / self.worker, thread_local=False)
        journal, journal_lock = folder / "journal.log", FileLock(folder / "journal.lock")
        with translate_os_errors(journal):
            self._workers.mkdir(parents=True, exist_ok=True)
            with journal_lock:
                _truncate_partial_line(journal)
            backend = JournalFileBackend(str(journal), lock_obj=journal_lock)  # type: ignore[arg-type]
            self.optuna = JournalStorage(backend)
            self._lock.acquire()

    def start_heartbeat(self, trial_id: int) -> None:
        """Do nothing: the lock covers all trials of the process."""

    def stop_heartbeat(self, trial_id: int) -> None:
        """Do nothing: the lock covers all trials of the process."""

    def is_stale(self, trial: FrozenTrial) -> bool:
        """Return whether no process holds the lock of the trial's worker."""
        worker = trial.user_attrs.get(WORKER)
        if worker:
            return worker != self.worker and not self._is_locked(worker)
        others = [path.name for path in self._workers.iterdir() if path.name != self.worker]
        return not (_is_fresh(trial) and any(self._is_locked(name) for name in others))

    def _is_locked(self, worker: str) -> bool:
        path = self._workers / worker
        if not path.exists():
            return False
        try:
            with FileLock(path, blocking=False):
                path.unlink(missing_ok=True)
        except Timeout:
            return True
        return False

    def close(self) -> None:
        """Unlock this process's file and remove it."""
        self._lock.release()
        with suppress(OSError):
            (self._workers / self.worker).unlink()


def _truncate_partial_line(journal: Path) -> None:
    """Remove an incomplete last line, left by a process that was killed while writing."""
    content = journal.read_bytes() if journal.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with journal.open("r+b") as file:
            file.truncate(whole)


def _is_fresh(trial: FrozenTrial) -> bool:
    """Return whether a trial started so recently that its worker may not be recorded yet."""
    started = trial.datetime_start or datetime.now()  # noqa: DTZ005 — as Optuna writes it
    return datetime.now() - started < timedelta(seconds=_GRACE_S)  # noqa: DTZ005 — likewise


class PostgresStorage:
    """A PostgreSQL database that several machines share, with Optuna's heartbeats.

    Optuna sends heartbeats only in its own loop, which is not used here, and from a thread per trial
    that a single failed heartbeat ends. Here one thread sends them for all trials of the process.
    """

    def __init__(self, url: str) -> None:
        """Connect, and create Optuna's tables where they are missing.

        Raises:
            ConfigError: psycopg is not installed, or the URL is not that of a PostgreSQL database.
            SourceUnavailable: the database does not answer.
        """
        self.worker = uuid.uuid4().hex
        self.optuna = _connect(url)
        self._running: set[int] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._send_heartbeats, name="heartbeat", daemon=True)
        self._thread.start()

    def start_heartbeat(self, trial_id: int) -> None:
        """Record a heartbeat of a trial now, and then every 15 seconds."""
        self.optuna.record_heartbeat(trial_id)
        self._running.add(trial_id)

    def stop_heartbeat(self, trial_id: int) -> None:
        """Stop recording heartbeats of a trial."""
        self._running.discard(trial_id)

    def is_stale(self, trial: FrozenTrial) -> bool:
        """Return whether a trial's process died before its first heartbeat, which Optuna misses."""
        return WORKER not in trial.user_attrs and not _is_fresh(trial)

    def close(self) -> None:
        """Stop the heartbeat thread, and close the connections."""
        self._closed.set()
        self._thread.join()
        self.optuna.remove_session()
        self.optuna.engine.dispose()

    def _send_heartbeats(self) -> None:
        while not self._closed.wait(_HEARTBEAT_S):
            for trial_id in tuple(self._running):
                try:
                    self.optuna.record_heartbeat(trial_id)
                except Exception as error:  # noqa: BLE001 — the next one may succeed
                    logger.debug("heartbeat of trial %d failed: %s", trial_id, type(error).__name__)


def _connect(url: str) -> RDBStorage:
    _check_url(url)
    silence_optuna()
    _, _, address = url.partition("://")
    with translate_database_errors():
        return RDBStorage(
            f"postgresql+psycopg://{address}",
            engine_kwargs={"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}},
            heartbeat_interval=_HEARTBEAT_S,
            grace_period=_GRACE_S,
        )


def _check_url(url: str) -> None:
    try:
        import psycopg
    except ModuleNotFoundError:
        raise ConfigError(
            "tune.storage needs psycopg", hint="pip install -r requirements/postgres.txt"
        ) from None
    try:
        psycopg.conninfo.conninfo_to_dict(url)
        is_postgres = make_url(url).drivername in {"postgresql", "postgres"}
    except (psycopg.Error, ArgumentError, ValueError):
        is_postgres = False
    if not is_postgres:
        raise ConfigError(
            "tune.storage is not the URL of a PostgreSQL database",
            hint="set LIGHTMODEL__TUNE__STORAGE=postgresql://user:password@host:5432/name; in the "
            "password, write @ as %40 and : as %3A",
        ) from None


def silence_optuna() -> None:
    """Limit Optuna's log to warnings, and suppress its warnings about heartbeats.

    These have been experimental for years, and are not sent by Optuna's own loop here.
    """
    optuna.logging.disable_default_handler()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    warnings.filterwarnings("ignore", "Heartbeat of storage is supposed to be used", UserWarning)


@contextmanager
def translate_database_errors() -> Iterator[None]:
    """Raise SourceUnavailable for database errors, without their texts: they may hold a password."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise SourceUnavailable(
            f"the database of the study (tune.storage) does not answer: {type(error).__name__}",
            hint="try again: all recorded trials are kept; or check LIGHTMODEL__TUNE__STORAGE",
        ) from None
