"""The prediction log in PostgreSQL."""

import sys
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
from lightmodel.predictions.base import FOREVER, PRUNED_TOGETHER, Row, Sink
from lightmodel.predictions.shadows import PREDICTIONS

if TYPE_CHECKING:  # optional: requirements/postgres.txt installs it
    import psycopg

_CONNECT_S = 5
_STATEMENT_MS = 60_000
_SCHEMA_MS = 600_000  # release 0.1.0 had no index by time, and a large table takes a while
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
CREATE INDEX IF NOT EXISTS predictions_by_time ON predictions (time);
CREATE TABLE IF NOT EXISTS shadow_predictions (LIKE predictions INCLUDING ALL);
CREATE TABLE IF NOT EXISTS truths (
    id text PRIMARY KEY, truth text NOT NULL, time timestamptz NOT NULL
);
"""
_INSERT = """
INSERT INTO {table}
SELECT request, row, time::timestamptz, version, id, prediction::jsonb, probability::jsonb, features::jsonb
FROM unnest(
    ?::text[], ?::integer[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[]
) AS rows (request, row, time, version, id, prediction, probability, features)
ON CONFLICT DO NOTHING
"""
# Each batch starts at the time that the last one reached: not at the index's entries of deleted rows.
# A second bound within the inner query would make PostgreSQL sort all rows without statistics.
_DELETE_ROWS = """
WITH deleted AS (
    DELETE FROM {table} WHERE time < ?::timestamptz AND ctid = ANY (ARRAY(
        SELECT ctid FROM {table} WHERE time >= ?::timestamptz ORDER BY time LIMIT ?::bigint
    )) RETURNING time
) SELECT count(*), max(time)::text FROM deleted
"""
_SIZES = """
SELECT pg_total_relation_size('{table}'), pg_relation_size('{table}') / 8192
"""  # the second in pages
_SAMPLE_PAGES = 5_000
_SAMPLE_ERROR = 0.03  # 2 / sqrt(_SAMPLE_PAGES): two standard deviations
# With about 100 bytes for a row's header and its places in the indexes. The same pages are sampled
# each time, so that the error is the same each time, too.
_USED = """
SELECT coalesce(sum(pg_column_size({table}.*) + 100), 0)::float8, count(*)
FROM {table} TABLESAMPLE SYSTEM (?::float8) REPEATABLE (0)
"""
_TIME_AT = "SELECT time FROM {table} ORDER BY time LIMIT 1 OFFSET ?::bigint"


class PostgresSink(Sink):
    """The tables in the PostgreSQL database of a URL; writing a batch again changes nothing.

    Raises:
        ConfigError: the URL is invalid, or psycopg is not installed.
    """

    _PAIRS = "jsonb_each_text(?::jsonb)"
    _MOMENT = "?::timestamptz"
    _SAMPLED = "mod(hashtext(request || row::text)::bigint & 2147483647, ?::bigint) = 0"
    _TIME = """to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

    def __init__(self, url: str, table: str = PREDICTIONS) -> None:
        super().__init__(table)
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
        return (
            self._change(self._on_table(_INSERT), *map(list, zip(*rows, strict=True)))
            if rows
            else 0
        )

    def delete_rows(self, before: str = FOREVER, most: int = sys.maxsize) -> Iterator[int]:
        """Delete the oldest answers, at most `most`, from before a time; yield each batch's number."""
        since = "-infinity"
        while most > 0:
            batch = str(min(most, PRUNED_TOGETHER))
            ((deleted, last),) = self._select(self._on_table(_DELETE_ROWS), before, since, batch)
            if not deleted:
                return
            yield deleted
            most, since = most - deleted, last

    def rows_beyond(self, size: int) -> int:
        """Return how many of the oldest answers to delete so that about `size` bytes stay.

        Deleted rows do not make the tables smaller, hence the size is that of the rows; where the
        tables are larger than `size`, it is estimated from a sample of their pages, rather too low.
        """
        ((total, pages),) = self._select(self._on_table(_SIZES))
        if total <= size:
            return 0
        share = min(1.0, _SAMPLE_PAGES / max(1, pages))
        ((used, rows),) = self._select(self._on_table(_USED), str(100 * share))
        if share < 1:
            size += int(_SAMPLE_ERROR * used / share)
        kept = size * share / used if used else 1
        return int((1 - kept) * rows / share) if kept < 1 else 0

    def oldest(self, skipped: int = 0) -> datetime | None:
        """Return the time of the oldest answer but for the `skipped` oldest ones; None if none is left."""
        times = [
            cast("datetime", time)
            for (time,) in self._select(self._on_table(_TIME_AT), str(skipped))
        ]
        return times[0] if times else None

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
        connection.execute(f"SET statement_timeout = {_SCHEMA_MS}")
        with connection.transaction():
            connection.execute(_SCHEMA)
        connection.execute(f"SET statement_timeout = {_STATEMENT_MS}")
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
