"""The prediction log in PostgreSQL."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from lightmodel.errors import ConfigError, DataError, SourceUnavailable
from lightmodel.predictions.base import Judged

if TYPE_CHECKING:  # imported when a sink is made
    from psycopg import Connection

_CONNECT_S = 5
_STATEMENT_MS = 60_000
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
_WRITE = """
WITH lines AS MATERIALIZED (
    SELECT line ->> 'request' AS request, (line ->> 'time')::timestamptz AS time,
           line ->> 'version' AS version, line -> 'rows' AS rows
    FROM jsonb_array_elements(%s::jsonb) AS line
)
INSERT INTO predictions
SELECT request, (value ->> 0)::integer, time, version, value ->> 1, value -> 2, value -> 3,
       nullif(value -> 4, 'null')
FROM lines, jsonb_array_elements(rows) AS value
ON CONFLICT DO NOTHING
"""
_TRUTH = """
INSERT INTO truths SELECT key, value, %s FROM unnest(%s::text[], %s::text[]) AS new (key, value)
ON CONFLICT (id) DO UPDATE SET truth = excluded.truth, time = excluded.time
"""
_MATCHED = """
SELECT count(*) FROM unnest(%s::text[]) AS truth (key)
WHERE EXISTS (SELECT 1 FROM predictions WHERE id = key)
"""
_ANSWERED = "SELECT version, count(*) FROM predictions GROUP BY version ORDER BY version"
_JUDGED = """
SELECT prediction, probability, truth
FROM (
    SELECT DISTINCT ON (id) id, prediction, probability
    FROM predictions WHERE version = %s AND id IN (SELECT id FROM truths)
    ORDER BY id, time DESC, request DESC, row DESC
) AS last JOIN truths USING (id)
ORDER BY id COLLATE "C"
"""


class PostgresSink:
    """Two tables, `predictions` and `truths`, in the data base that a URL names.

    Raises:
        ConfigError: psycopg is not installed, or the URL is none.
    """

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
                "log.url is no URL of a PostgreSQL data base",
                hint="LIGHTMODEL__LOG__URL=postgresql://user:password@host:5432/name",
            ) from None
        self._psycopg = psycopg
        self._url = url
        self._connection: Connection | None = None

    def write(self, lines: bytes) -> int:
        """Keep a batch; gives how many of its rows were not here before."""
        document = b"[" + b",".join(line for line in lines.split(b"\n") if line) + b"]"
        with self._transaction() as connection:
            kept: int = connection.execute(_WRITE, (_text(document),)).rowcount
            return kept

    def add_truths(self, truths: Mapping[str, str], time: datetime) -> int:
        """Keep truths by id; gives how many ids the log has answers for."""
        ids, values = list(truths), list(truths.values())
        with self._transaction() as connection:
            connection.execute(_TRUTH, (time, ids, values))
            found = connection.execute(_MATCHED, (ids,)).fetchone()
            return int(found[0]) if found else 0

    def answered(self) -> Mapping[str, int]:
        """Count the rows of each model version."""
        with self._transaction() as connection:
            return dict(connection.execute(_ANSWERED).fetchall())

    def judged(self, version: str) -> Judged:
        """Give what a version answered last for each id that has a truth."""
        with self._transaction() as connection:
            rows = connection.execute(_JUDGED, (version,)).fetchall()
        predictions, probabilities, truths = zip(*rows, strict=True) if rows else ((), (), ())
        return Judged(predictions, probabilities, truths)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with suppress(self._psycopg.Error):
                self._connection.close()
            self._connection = None

    @contextmanager
    def _transaction(self) -> "Iterator[Connection]":
        try:
            connection = self._opened()
            with connection.transaction():
                yield connection
        except (self._psycopg.DataError, self._psycopg.IntegrityError) as error:
            raise DataError(f"PostgreSQL refuses it: {type(error).__name__}") from error
        except self._psycopg.Error as error:
            self.close()
            raise SourceUnavailable(
                f"the prediction log's data base does not take it ({type(error).__name__})",
                hint="check LIGHTMODEL__LOG__URL and the server; rows wait in the spool until then",
            ) from error

    def _opened(self) -> "Connection":
        if self._connection is None:
            self._connection = self._psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_S,
                keepalives_idle=10,
                tcp_user_timeout=20_000,
            )
            self._connection.execute(f"SET statement_timeout = {_STATEMENT_MS}")
            with self._connection.transaction():
                self._connection.execute(_SCHEMA)
        return self._connection


def _text(document: bytes) -> str:
    try:
        return document.decode()
    except UnicodeDecodeError:
        raise DataError("the segment is not UTF-8") from None
