"""Where the trials of a study are kept: in memory, in a file, or in a PostgreSQL data base."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from lightmodel.errors import ConfigError, SourceUnavailable
from lightmodel.search.presence import (
    BEAT_S,
    GRACE_S,
    Alone,
    Heartbeat,
    LockedFile,
    Presence,
)
from lightmodel.store.files import told

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL, WORKERS = "journal.log", "workers"


def in_memory() -> "tuple[BaseStorage, Presence]":
    """Keep trials for as long as the process lives."""
    from optuna.storages import InMemoryStorage

    return InMemoryStorage(), Alone()


def in_folder(folder: Path) -> "tuple[BaseStorage, Presence]":
    """Keep trials in a journal, which processes of one machine append to in turns.

    Raises:
        ArtefactCorrupt, StorageFull: as writing files does.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path = folder / JOURNAL
    with told(path):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _Turn(folder / "journal.lock")
        _cut_half_line(path, lock)
        presence = LockedFile(folder / WORKERS)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock)), presence  # type: ignore[arg-type] # by shape


class _Turn:
    """Whose turn it is to write: the system gives it back when the process dies, and Optuna's own not."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, thread_local=False)

    def acquire(self) -> bool:
        """Wait for it."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Give it back."""
        self._lock.release()


def _cut_half_line(path: Path, lock: _Turn) -> None:
    """Take away what a process that was killed while writing left at the end."""
    lock.acquire()
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
    finally:
        lock.release()


def in_postgres(url: str) -> "tuple[BaseStorage, Presence]":
    """Keep trials in a data base that several machines reach.

    Raises:
        ConfigError: psycopg is not installed, or the URL is none.
        SourceUnavailable: the data base does not answer.
    """
    try:
        import psycopg
        from optuna.storages import RDBStorage
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError
    except ModuleNotFoundError:
        raise ConfigError(
            "tune.storage needs psycopg", hint="pip install -r requirements/postgres.txt"
        ) from None
    scheme, _, rest = url.partition("://")
    try:
        psycopg.conninfo.conninfo_to_dict(url)
        make_url(f"postgresql://{rest}")
    except (psycopg.Error, ArgumentError, ValueError):
        scheme = ""
    if scheme not in {"postgresql", "postgres"}:
        raise ConfigError(
            "tune.storage is no address of a PostgreSQL data base",
            hint="LIGHTMODEL__TUNE__STORAGE=postgresql://user:password@host:5432/name; an @ or : in the "
            "password is written %40 or %3A",
        ) from None
    with answering(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls heartbeats experimental
        storage = RDBStorage(
            f"postgresql+psycopg://{rest}",
            engine_kwargs={"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}},
            heartbeat_interval=BEAT_S,
            grace_period=GRACE_S,
        )
    # Optuna's own loop is not used here, and presence.py does what it would do.
    warnings.filterwarnings("ignore", "Heartbeat of storage is supposed to be used", UserWarning)

    def leave() -> None:
        storage.remove_session()
        storage.engine.dispose()

    return storage, Heartbeat(storage.record_heartbeat, leave)


@contextmanager
def answering() -> Iterator[None]:
    """Turn a data base that does not answer into words; an address may hold a password.

    Raises:
        SourceUnavailable: it does not answer.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise SourceUnavailable(
            f"the data base of the study (tune.storage) does not answer: {type(error).__name__}",
            hint="try again: what was told to it is kept; or look at LIGHTMODEL__TUNE__STORAGE",
        ) from None
