"""The prediction log in PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from lightmodel.errors import ConfigError, DataError, SourceUnavailable
from lightmodel.predictions.base import Row, Sink

if TYPE_CHECKING:  # optional: requirements/postgres.txt installs it
    import psycopg

_CONNECT_S = 5
_STATEMENT_MS = 60_000
_REJECTED = ("22", "23", "54")  # SQLSTATE classes: data exception, constraint, index limit
_SCHEMA = """
SELECT pg_advisory_xact_lock(727274);  -- CREATE IF NOT EXISTS fails when two do it at once
CREATE TABLE IF NOT EXISTS predictions (
    request text NOT NULL, row integer NOT NULL, time timestamptz NOT NULL, version text NOT NULL,
    id text, prediction jsonb, probability jsonb, features jsonb, PRIMARY KEY (request, row)
);
CREATE INDEX IF NOT EXISTS predictions_by_id ON predictions (id) WHERE id IS NOT NULL;
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


class PostgresSink(Sink):
    """The tables in the PostgreSQL database of a URL; writing a batch again changes nothing.

    Raises:
        ConfigError: the URL is invalid, or psycopg is not installed.
    """

    _PAIRS = "jsonb_each_text(?::jsonb)"
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
            raise SourceUnavailable(
                f"the prediction log's database is not available ({type(error).__name__})",
                hint="check LIGHTMODEL__LOG__URL and the server; rows wait in the spool until it works",
            ) from error

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


def _query(sql: str) -> bytes:
    """Return one of the queries of `Sink` with psycopg's placeholders."""
    return sql.replace("?", "%s").encode()
