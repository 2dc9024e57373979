"""How far a stream has been read, and what was answered last: one SQLite file for each stream."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lightmodel.errors import ArtefactCorrupt, ConfigError, StorageFull

_IN_MEMORY = ":memory:"
_MOST_VARIABLES = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS positions (shard TEXT PRIMARY KEY, position TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answered (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
"""
_ADVANCE = """
INSERT INTO positions VALUES (?, ?) ON CONFLICT (shard) DO UPDATE SET position = excluded.position
"""
_FORGET = "DELETE FROM answered WHERE number <= (SELECT max(number) FROM answered) - ?"


class Checkpoints:
    """The position of each shard, and the keys of the last answers.

    Positions and keys of one batch are stored together or not at all, even if the process is killed.
    """

    def __init__(self, path: Path | None, window: int) -> None:
        """Open the file at `path`, or begin in memory; `window` is the number of keys to remember.

        Raises:
            ConfigError, StorageFull, ArtefactCorrupt: the file cannot be used.
        """
        self._name = _IN_MEMORY if path is None else str(path)
        self._window = window
        with self._errors():
            self._database = sqlite3.connect(self._name, check_same_thread=False)
            self._database.executescript(_SCHEMA)
            self._database.execute("PRAGMA synchronous = FULL")

    def positions(self) -> dict[str, str]:
        """Return the last position of each shard."""
        with self._errors():
            return dict(self._database.execute("SELECT shard, position FROM positions"))

    def answered(self, keys: Collection[str]) -> set[str]:
        """Return those of the keys that belong to one of the last answers."""
        wanted, known = list(keys), set[str]()
        with self._errors():
            for start in range(0, len(wanted), _MOST_VARIABLES):
                some = wanted[start : start + _MOST_VARIABLES]
                marks = ",".join("?" * len(some))
                query = f"SELECT key FROM answered WHERE key IN ({marks})"  # noqa: S608 — marks alone
                known.update(key for (key,) in self._database.execute(query, some))
        return known

    def advance(self, positions: Mapping[str, str], keys: Collection[str]) -> None:
        """Store new positions and the keys of new answers; forget the oldest keys."""
        with self._errors(), self._database:
            self._database.executemany(_ADVANCE, positions.items())
            self._database.executemany(
                "INSERT OR IGNORE INTO answered (key) VALUES (?)", ((key,) for key in keys)
            )
            self._database.execute(_FORGET, (self._window,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise StorageFull(
                    f"no room left for the checkpoints in {self._name}", hint="free some space"
                ) from error
            raise ConfigError(
                f"the checkpoints in {self._name} cannot be used: {error}",
                hint="check who owns the folder, or set streams.folder",
            ) from error
        except sqlite3.DatabaseError as error:
            raise ArtefactCorrupt(
                f"the checkpoints in {self._name} are damaged: {error}",
                hint="delete the file: reading then begins where streams.start says",
            ) from error
