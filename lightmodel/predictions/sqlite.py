"""The prediction log in a SQLite file shared by several processes; also the spool for a server."""

import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, cast

from lightmodel.errors import (
    ArtefactCorrupt,
    ConfigError,
    DataError,
    LightModelError,
    SourceUnavailable,
    StorageFull,
)
from lightmodel.predictions.base import FOREVER, PRUNED_TOGETHER, Row, Sink, characters
from lightmodel.predictions.shadows import PREDICTIONS

_MIN_VERSION = (3, 38)  # the first that always has the functions for JSON
_BUSY_S = 5.0
_PAGE = 4096
_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "9p", "lustre", "glusterfs"}
)
_NO_ROOM = frozenset(  # what SQLite says of a quota, and of a limit on the size of files
    {
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)
FREE_SPACE = (
    "free some space on the disk of log.folder (`python -m lightmodel models retire` removes old "
    "versions), and limit the log by log.keep_days or log.max_mb"
)
_COLUMNS = """(  -- each row is inserted once, hence without a key
    request TEXT NOT NULL, row INTEGER NOT NULL, time TEXT NOT NULL, version TEXT NOT NULL, id TEXT,
    prediction TEXT, probability TEXT, features TEXT  -- JSON
)"""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions {columns};
CREATE TABLE IF NOT EXISTS shadow_predictions {columns};
CREATE TABLE IF NOT EXISTS truths (
    id TEXT PRIMARY KEY, truth TEXT NOT NULL, time TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused AS SELECT * FROM predictions WHERE false;
"""
# Only labels need it, and where ids are random, it makes writing rows several times slower.
_INDEX = "CREATE INDEX IF NOT EXISTS predictions_by_id ON predictions (id) WHERE id IS NOT NULL"
_INSERT = """
INSERT INTO {table} (request, row, time, version, id, prediction, probability, features) VALUES
"""
_ROW_VALUES = "(?, ?, ?, ?, ?, ?, ?, ?)"
_STATEMENT_ROWS = 50  # one statement releases Python's global lock once, executemany for each row
_OLDEST_ROWS = """
SELECT rowid, request, row, time, version, id, prediction, probability, features
FROM {table} ORDER BY rowid LIMIT ?
"""
_OLDEST_TIMES = """
SELECT rowid, time FROM {table}
WHERE rowid >= (SELECT min(rowid) FROM {table}) + ? ORDER BY rowid LIMIT ?
"""
_ROWS = "SELECT 1 + (SELECT max(rowid) FROM {table}) - (SELECT min(rowid) FROM {table})"
_FREED_TOGETHER = 500  # pages
_USED = """
SELECT (page_count - freelist_count) * page_size
FROM pragma_page_count, pragma_freelist_count, pragma_page_size
WHERE EXISTS (SELECT 1 FROM predictions UNION ALL SELECT 1 FROM shadow_predictions)
"""


class SqliteSink(Sink):
    """A SQLite file in an existing folder on a local disk; `max_bytes` None means no limit."""

    _PAIRS = "json_each(?)"
    _TIME = "time"
    _MOMENT = "?"
    _SAMPLED = "rowid % CAST(? AS INTEGER) = 0"

    def __init__(self, path: Path, max_bytes: int | None = None, table: str = PREDICTIONS) -> None:
        super().__init__(table)
        self.path = path
        self._max_pages = max_bytes // _PAGE if max_bytes else None
        self._connection: sqlite3.Connection | None = None

    def write(self, rows: Sequence[Row]) -> int:
        """Store rows; return how many were added."""
        insert = self._on_table(_INSERT)
        with self._opened() as connection, connection:
            for start in range(0, len(rows), _STATEMENT_ROWS):
                some = rows[start : start + _STATEMENT_ROWS]
                statement = insert + ", ".join([_ROW_VALUES] * len(some))
                connection.execute(statement, list(chain.from_iterable(some)))
        return len(rows)

    def add_ground_truth(self, labels: Mapping[str, str], time: datetime) -> int:
        """Store labels by id, replacing earlier ones; return how many ids the log has answers for."""
        self._change(_INDEX)
        return super().add_ground_truth(labels, time)

    def oldest_rows(self, rows: int, size: int) -> list[tuple[int, Row]]:
        """Return (rowid, row) of the oldest rows: at most `rows`, of about `size` characters."""
        batch: list[tuple[int, Row]] = []
        total = 0
        for rowid, *cells in self._select(self._on_table(_OLDEST_ROWS), rows):
            batch.append((rowid, (row := cast("Row", tuple(cells)))))
            total += characters([row])
            if total >= size:
                break
        return batch

    def remove(self, last: int) -> None:
        """Delete the rows up to and including the rowid `last`."""
        self._change(self._on_table("DELETE FROM {table} WHERE rowid <= ?"), last)

    def set_aside(self, rowid: int) -> None:
        """Copy a row to the table `refused`."""
        copy = "INSERT INTO refused SELECT * FROM {table} WHERE rowid = ?"
        self._change(self._on_table(copy), rowid)

    def delete_rows(self, before: str = FOREVER, most: int = sys.maxsize) -> Iterator[int]:
        """Delete the oldest answers, at most `most`, from before a time; yield each batch's number.

        Rows are in the order of their times, but for seconds.
        """
        while old := [
            rowid
            for rowid, time in self._oldest_times(0, min(most, PRUNED_TOGETHER))
            if time < before
        ]:
            delete = "DELETE FROM {table} WHERE rowid <= ? AND time < ?"
            yield (deleted := self._change(self._on_table(delete), old[-1], before))
            most -= deleted

    def rows_beyond(self, size: int) -> int:
        """Return how many of the oldest answers to delete so that about `size` bytes stay."""
        used = self.used_bytes()
        if used <= size:
            return 0
        ((rows,),) = self._select(self._on_table(_ROWS))
        return int(rows) * (used - size) // used

    def oldest(self, skipped: int = 0) -> datetime | None:
        """Return the time of the oldest answer but for the `skipped` oldest ones; None if none is left."""
        times = [time for _, time in self._oldest_times(skipped, PRUNED_TOGETHER)]
        return datetime.fromisoformat(min(times)) if times else None

    def shrink(self, stopped: Callable[[], bool]) -> None:
        """Return the room of deleted rows to the disk; a file of release 0.1.0 keeps it for new rows."""
        with self._opened() as connection:
            ((free,),) = connection.execute("PRAGMA freelist_count")
            for _ in range(0, free, _FREED_TOGETHER):
                if stopped():
                    return
                # execute() would free a single page
                connection.executescript(f"PRAGMA incremental_vacuum({_FREED_TOGETHER})")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def used_bytes(self) -> int:
        """Return the bytes that the rows take; 0 if there is none."""
        return next((int(used) for (used,) in self._select(_USED)), 0)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _oldest_times(self, skipped: int, most: int) -> Iterator[tuple[Any, ...]]:
        return self._select(self._on_table(_OLDEST_TIMES), skipped, most)

    def _change(self, sql: str, *values: str | int) -> int:
        with self._opened() as connection, connection:
            return connection.execute(sql, values).rowcount

    def _select(self, sql: str, *values: str | int) -> Iterator[tuple[Any, ...]]:
        with self._opened() as connection:
            yield from connection.execute(sql, values)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = self._connect()
            yield self._connection
        except sqlite3.Error as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise DataError(f"SQLite rejects the rows: {error}") from error
            self.close()
            raise _known_error(error, self.path.name, self._max_pages) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, check_same_thread=False)
        connection.execute(f"PRAGMA page_size = {_PAGE}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA.format(columns=_COLUMNS))
        if self._max_pages:
            connection.execute(f"PRAGMA max_page_count = {self._max_pages}")
        return connection


def _known_error(error: sqlite3.Error, name: str, max_pages: int | None) -> LightModelError:
    """Return what an error of SQLite means for who operates the file."""
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF  # without the details
    if kind == sqlite3.SQLITE_FULL or code in _NO_ROOM:
        limit = "log.spool_mb, the disk" if max_pages else "the disk"
        return StorageFull(
            f"no room left to write {name}: {limit} or its quota is full ({error})",
            hint=FREE_SPACE,
        )
    if kind in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return ArtefactCorrupt(
            f"{name} in log.folder is damaged: {error}",
            hint=f"move it away, and a new one is created; `sqlite3 {name} .recover` rescues its rows",
        )
    if kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return ConfigError(
            f"{name} in log.folder cannot be opened or written to: {error}",
            hint="check who owns the file and its folder, and that the disk is not mounted read-only",
        )
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        hint = "another program has locked it: try again, and end that program if it lasts"
    else:
        hint = "check the disk of log.folder"
    return SourceUnavailable(f"{name} cannot be used: {error}", hint=hint)


def check_sqlite(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Check that SQLite works in a folder; `mounts` is the system's list of mounted file systems.

    Raises:
        ConfigError: the folder lies on a network file system, or SQLite is too old.
    """
    if sqlite3.sqlite_version_info < _MIN_VERSION:
        raise ConfigError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and the prediction log needs 3.38",
            hint='use a newer Python, or set log.sink to "none"',
        )
    kind = _file_system(folder.resolve(), mounts)
    if kind in _NETWORK_FILE_SYSTEMS or kind.startswith("fuse.ssh"):
        raise ConfigError(
            f"log.folder lies on a network file system ({kind}), where SQLite's locks do not hold",
            hint="set log.folder to a folder on a local disk; to keep the rows elsewhere, "
            'log.sink to "postgres"',
        )


def _file_system(folder: Path, mounts: Path) -> str:
    """Return the type of the file system that holds `folder`, or "" if it is not known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    kinds = {point.replace("\\040", " "): kind for _, point, kind, *_ in map(str.split, lines)}
    return next((kinds[str(path)] for path in (folder, *folder.parents) if str(path) in kinds), "")
