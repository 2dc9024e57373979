"""The prediction log of a process whose database is stopped and started again."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightmodel.config import LogSection
from lightmodel.predictions.log import PredictionLog, ship
from lightmodel.predictions.postgres import PostgresSink
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import answered, rows_of
from tests.fakes.postgres import Postgres, postgres
from tests.unit.predictions.test_prediction_log import Counts, stored_rows, until

pytestmark = pytest.mark.postgres


@pytest.fixture
def cluster() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def requests_in(cluster: Postgres) -> list[str]:
    import psycopg

    with psycopg.connect(cluster.url) as connection:
        rows = connection.execute("SELECT request FROM predictions ORDER BY 1, row").fetchall()
    return [row[0] for row in rows]


def test_a_restarted_database_has_every_row_exactly_once(
    cluster: Postgres, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    spool = tmp_path / "spool.sqlite"
    counts = Counts()
    log = PredictionLog(spool, LogSection(), counts, PostgresSink(cluster.url))
    names = [f"r{number:03d}" for number in range(300)]

    def record(part: slice) -> None:
        for name in names[part]:
            log.record(answered(name, ["a", "b"], [0.1, 0.9]))

    record(slice(100))
    until(lambda: counts.of["logged"] == 200)
    cluster.stop()
    record(slice(100, 200))
    until(lambda: "does not accept rows" in caplog.text)
    record(slice(200, 250))
    cluster.start()
    record(slice(250, 300))
    until(lambda: counts.of["logged"] == 600)
    log.close()
    assert requests_in(cluster) == [name for name in names for _ in range(2)]
    assert counts.of == {"spooled": 600, "logged": 600}
    assert stored_rows(spool) == []
    assert "secret-word" not in caplog.text


def test_an_id_that_is_too_long_for_an_index_is_set_aside(
    cluster: Postgres, tmp_path: Path
) -> None:
    long = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(200))
    spool = SqliteSink(tmp_path / "spool.sqlite")
    spool.write(
        rows_of(*(answered(f"r{at}", [key], [0.1]) for at, key in enumerate(("a", long, "b"))))
    )
    spool.close()
    server = PostgresSink(cluster.url)
    ship(spool.path, server, Counts())
    server.close()
    assert requests_in(cluster) == ["r0", "r2"]
    assert stored_rows(spool.path) == []
    assert stored_rows(spool.path, "refused") == [("r1", 1)]
