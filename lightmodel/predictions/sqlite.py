"""The prediction log in a SQLite file, written by several processes."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from lightmodel.errors import ConfigError, DataError, SourceUnavailable
from lightmodel.predictions.base import Judged

FILE = "predictions.sqlite"
_OLDEST = (3, 38)  # the first one with the operators -> and ->>
_BUSY_S = 10.0
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "9p", "lustre", "glusterfs"}
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
    request TEXT NOT NULL, row INTEGER NOT NULL, time TEXT NOT NULL, version TEXT NOT NULL, id TEXT,
    prediction TEXT, probability TEXT, features TEXT,  -- JSON
    PRIMARY KEY (request, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS predictions_by_id ON predictions (id) WHERE id IS NOT NULL;
CREATE TABLE IF NOT EXISTS truths (
    id TEXT PRIMARY KEY, truth TEXT NOT NULL, time TEXT NOT NULL
) WITHOUT ROWID;
"""
_WRITE = """
INSERT OR IGNORE INTO predictions
WITH line AS MATERIALIZED (
    SELECT ?1 ->> 'request' AS request, ?1 ->> 'time' AS time, ?1 ->> 'version' AS version
)
SELECT request, value ->> 0, time, version, value ->> 1, value -> 2, value -> 3,
       nullif(value -> 4, 'null')
FROM line, json_each(?1, '$.rows')
"""
_TRUTH = """
INSERT INTO truths SELECT key, value, ?2 FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET truth = excluded.truth, time = excluded.time
"""
_MATCHED = """
SELECT count(*) FROM json_each(?) AS truth
WHERE EXISTS (SELECT 1 FROM predictions WHERE id = truth.key)
"""
_ANSWERED = "SELECT version, count(*) FROM predictions GROUP BY version ORDER BY version"
_JUDGED = """
SELECT prediction, probability, truth
FROM (
    SELECT id, prediction, probability, row_number()
        OVER (PARTITION BY id ORDER BY time DESC, request DESC, row DESC) AS place
    FROM predictions WHERE version = ? AND id IN (SELECT id FROM truths)
) JOIN truths USING (id)
WHERE place = 1 ORDER BY id
"""


class SqliteSink:
    """A file `predictions.sqlite` in a folder on a local disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._connection: sqlite3.Connection | None = None

    def write(self, lines: bytes) -> int:
        """Keep a batch; gives how many of its rows were not here before."""
        try:
            texts = [(line,) for line in lines.decode().split("\n") if line]
        except UnicodeDecodeError:
            raise DataError("the segment is not UTF-8") from None
        with self._transaction() as connection:
            return connection.executemany(_WRITE, texts).rowcount

    def add_truths(self, truths: Mapping[str, str], time: datetime) -> int:
        """Keep truths by id; gives how many ids the log has answers for."""
        document = orjson.dumps(dict(truths)).decode()
        with self._transaction() as connection:
            connection.execute(_TRUTH, (document, time.astimezone(UTC).isoformat()))
            matched: int = connection.execute(_MATCHED, (document,)).fetchone()[0]
            return matched

    def answered(self) -> Mapping[str, int]:
        """Count the rows of each model version."""
        with self._transaction() as connection:
            return dict(connection.execute(_ANSWERED).fetchall())

    def judged(self, version: str) -> Judged:
        """Give what a version answered last for each id that has a truth."""
        with self._transaction() as connection:
            rows = connection.execute(_JUDGED, (version,)).fetchall()
        predictions, probabilities, truths = zip(*rows, strict=True) if rows else ((), (), ())
        load = orjson.loads
        return Judged([*map(load, predictions)], [*map(load, probabilities)], truths)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._opened() as connection:
                yield connection
        except sqlite3.Error as error:
            if str(error) == "malformed JSON" or isinstance(error, sqlite3.IntegrityError):
                raise DataError(f"SQLite cannot read it: {error}") from error
            self.close()
            raise SourceUnavailable(
                f"{FILE} cannot be used: {error}",
                hint="check the disk and who owns log.folder; rows wait in the spool until then",
            ) from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_SCHEMA)
        return self._connection


def check_sqlite(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Refuse what SQLite does not work with.

    Args:
        folder: of the file.
        mounts: where the system lists its file systems.

    Raises:
        ConfigError: the folder lies on a network file system, or SQLite is too old.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        raise ConfigError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and the prediction log needs 3.38",
            hint='set log.sink to "csv" or "postgres", or take a newer Python',
        )
    kind = _file_system(folder.resolve(), mounts)
    if kind in _NETWORK or kind.startswith("fuse.ssh"):
        raise ConfigError(
            f"log.folder lies on a network file system ({kind}), where SQLite's locks do not hold",
            hint='set log.folder to a folder on a local disk, or log.sink to "postgres" or "csv"',
        )


def _file_system(folder: Path, mounts: Path) -> str:
    """Name the file system that holds `folder`, or "" where that cannot be found out."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = [line.split() for line in lines]
    kinds = {fields[1].replace("\\040", " "): fields[2] for fields in found if len(fields) > 2}
    return next((kinds[str(path)] for path in (folder, *folder.parents) if str(path) in kinds), "")
