"""The prediction log in PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from lightmodel.errors import (
    ArtefactCorrupt,
    ConfigError,
    DataError,
    LightModelError,
    SourceUnavailable,
    StorageFull,
)
from lightmodel.predictions.base import PRUNED_TOGETHER, Row, Sink

if TYPE_CHECKING:  # optional: requirements/postgres.txt installs it
    import psycopg

_CONNECT_S = 5
_STATEMENT_MS = 60_000
_REJECTED = ("22", "23", "54")  # SQLSTATE classes: data exception, constraint, index limit
_DISK_FULL, _DAMAGED = "53100", "XX00"
_READ_ONLY = ("25006", "42501")  # a read-only transaction or server, a missing right
_SCHEMA = """
SELECT pg_advisory_xact_lock(727274);  -- CREATE IF NOT EXISTS fails when two do it at once
CREATE TABLE IF NOT EXISTS predictions (
    request text NOT NULL, row integer NOT NULL, time timestamptz NOT NULL, version text NOT NULL,
    id text, prediction jsonb, probability jsonb, features jsonb, PRIMARY KEY (request, row)
);
CREATE INDEX IF NOT EXISTS predictions_by_id ON predictions (id) WHERE id IS NOT NULL;
CREATE INDEX IF NOT EXISTS predictions_by_time ON predictions USING brin (time);
CREATE TABLE IF NOT EXISTS truths (
    id text PRIMARY KEY, truth text NOT NULL, time timestamptz NOT NULL
);
"""
_INSERT = """
INSERT INTO predictions
SELECT request, row, time::timestamptz, version, id, prediction::jsonb, probability::jsonb, features::jsonb
FROM unnest(
    ?::text[], ?::integer[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[]
) AS rows (request, row, time, version, id, prediction, probability, features)
ON CONFLICT DO NOTHING
"""
_DELETE_ROWS = """
DELETE FROM predictions WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM predictions WHERE time < ?::timestamptz LIMIT ?::bigint
))
"""
_USED = """
SELECT coalesce(sum(pg_column_size(predictions.*) + 100), 0), count(*) FROM predictions
"""  # with about 100 bytes for the row's header and its places in the indexes
_TIME_AT = "SELECT time FROM predictions ORDER BY time LIMIT 1 OFFSET ?::bigint"


class PostgresSink(Sink):
    """The tables in the PostgreSQL database of a URL; writing a batch again changes nothing.

    Raises:
        ConfigError: the URL is invalid, or psycopg is not installed.
    """

    _PAIRS = "jsonb_each_text(?::jsonb)"
    _MOMENT = "?::timestamptz"
    _TIME = """to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise ConfigError(
                'log.sink = "postgres" needs psycopg',
                hint="pip install -r requirements/postgres.txt",
            ) from error
        try:
            psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            raise ConfigError(
                "log.url is not the URL of a PostgreSQL database",
                hint="LIGHTMODEL__LOG__URL=postgresql://user:password@host:5432/name",
            ) from None
        self._psycopg = psycopg
        self._url = url
        self._connection: psycopg.Connection | None = None

    def write(self, rows: Sequence[Row]) -> int:
        """Store rows; return how many were added."""
        return self._change(_INSERT, *map(list, zip(*rows, strict=True))) if rows else 0

    def delete_rows(self, time: str) -> int:
        """Delete some of the answers from before a time; return their number, 0 if none is left."""
        return self._change(_DELETE_ROWS, time, str(PRUNED_TOGETHER))

    def newest_beyond(self, size: int) -> datetime | None:
        """Return the time of the newest answer to delete so that about `size` bytes stay, or None.

        Deleted rows do not make the tables smaller, hence the size is that of the rows.
        """
        ((used, rows),) = self._select(_USED)
        if used <= size:
            return None
        skipped = str((rows * (int(used) - size) - 1) // int(used))
        ((newest,),) = self._select(_TIME_AT, skipped)
        return cast("datetime", newest)

    def shrink(self, stopped: Callable[[], bool]) -> None:
        """Do nothing: PostgreSQL's autovacuum gives the room of deleted rows to new ones."""

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(self._psycopg.Error):
                self._connection.close()
            self._connection = None

    def _change(self, sql: str, *values: str | list[Any]) -> int:
        with self._transaction() as connection:
            changed: int = connection.execute(_query(sql), values).rowcount
        return changed

    def _select(self, sql: str, *values: str) -> Iterator[tuple[Any, ...]]:
        with self._transaction() as connection:
            yield from connection.cursor().stream(_query(sql), values)

    @contextmanager
    def _transaction(self) -> "Iterator[psycopg.Connection]":
        try:
            connection = self._connection = self._connection or self._connect()
            with connection.transaction():
                yield connection
        except self._psycopg.Error as error:
            if (error.sqlstate or "").startswith(_REJECTED):
                raise DataError(f"PostgreSQL rejects the rows: {type(error).__name__}") from error
            self.close()
            raise _known_error(error) from error

    def _connect(self) -> "psycopg.Connection":
        connection = self._psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=_CONNECT_S,
            keepalives_idle=10,
            tcp_user_timeout=20_000,
        )
        connection.execute(f"SET statement_timeout = {_STATEMENT_MS}")
        with connection.transaction():
            connection.execute(_SCHEMA)
        return connection


def _known_error(error: "psycopg.Error") -> LightModelError:
    """Return what an error of PostgreSQL means for who operates it; its text may hold secrets."""
    state, what = error.sqlstate or "", f"the prediction log's database: {type(error).__name__}"
    if state == _DISK_FULL:
        return StorageFull(
            f"no room left on the disk of {what}",
            hint="free some space there, and limit the log by log.keep_days or log.max_mb",
        )
    if state.startswith(_DAMAGED):
        return ArtefactCorrupt(
            f"damaged tables in {what}", hint="restore the database from a backup"
        )
    if state in _READ_ONLY:
        return ConfigError(
            f"no right to write to {what}",
            hint="check that the user of LIGHTMODEL__LOG__URL may write, and that the server is no "
            "read-only replica",
        )
    return SourceUnavailable(
        f"the prediction log's database is not available ({type(error).__name__})",
        hint="check LIGHTMODEL__LOG__URL and the server; rows wait in the spool until it works",
    )


def _query(sql: str) -> bytes:
    """Return one of the queries of `Sink` with psycopg's placeholders."""
    return sql.replace("?", "%s").encode()
