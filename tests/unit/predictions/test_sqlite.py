"""The prediction log's SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lightmodel.config import LogSection
from lightmodel.errors import ArtefactCorrupt, ConfigError, SourceUnavailable, StorageFull
from lightmodel.predictions.base import characters
from lightmodel.predictions.prune import prune
from lightmodel.predictions.shadows import SHADOWS
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import LATER, VERSION, answered, at, rows_of
from tests.fakes.small_files import small_files

EARLIER = """
CREATE TABLE predictions (
    request TEXT NOT NULL, row INTEGER NOT NULL, time TEXT NOT NULL, version TEXT NOT NULL, id TEXT,
    prediction TEXT, probability TEXT, features TEXT, PRIMARY KEY (request, row)
) WITHOUT ROWID;
CREATE TABLE truths (id TEXT PRIMARY KEY, truth TEXT NOT NULL, time TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO predictions VALUES ('r0', 1, '2026-01-02', 'v0', 'a', '"yes"', '0.75', NULL);
INSERT INTO truths VALUES ('a', 'no', '2026-01-02');
"""


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SqliteSink]:
    folder = tmp_path / "sink"
    folder.mkdir()
    with closing(SqliteSink(folder / "log.sqlite")) as opened:
        yield opened


def test_a_file_of_an_earlier_version_is_still_used(sink: SqliteSink) -> None:
    with closing(sqlite3.connect(sink.path)) as connection:
        connection.executescript(EARLIER)
    sink.write(rows_of(answered("r1", ["a", "b"], [0.9, 0.1])))
    assert sink.answered() == {VERSION: 2, "v0": 1}
    assert sink.labelled("v0") == [("2026-01-02", "no", "yes", 0.75)]
    assert [row[1:] for row in sink.labelled(VERSION)] == [("no", "yes", 0.9)]
    assert [row[0] for row in sink.rows()] == ["r0", "r1", "r1"]


def test_a_file_from_before_challengers_gets_their_table_and_is_shipped(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(EARLIER)
    with closing(SqliteSink(path)) as answers, closing(SqliteSink(path, table=SHADOWS)) as shadows:
        assert shadows.oldest_rows(9, 1 << 20) == []
        shadows.write(rows_of(answered("r0", ["a"], [0.25], version=LATER)))
        assert answers.answered() == {"v0": 1}
        assert [pair[:2] for pair in answers.shadowed("2026-01-01")] == [("v0", LATER)]
        ((rowid, row),) = shadows.oldest_rows(9, 1 << 20)
        assert row[:2] == ("r0", 1)
        shadows.set_aside(rowid)
        shadows.remove(rowid)
        assert (shadows.oldest_rows(9, 1 << 20), answers.answered()) == ([], {"v0": 1})


def test_a_missing_folder_is_an_error_until_it_exists_again(sink: SqliteSink) -> None:
    folder = sink.path.parent
    folder.rmdir()
    folder.write_text("in the way")
    rows = rows_of(answered("r1", ["a"], [0.5]))
    with pytest.raises(ConfigError) as caught:
        sink.write(rows)
    assert "who owns" in caught.value.hint
    folder.unlink()
    folder.mkdir()
    assert sink.write(rows) == 1


def test_a_file_that_is_not_a_database_is_damaged_and_is_left_unchanged(sink: SqliteSink) -> None:
    sink.path.write_bytes(b"something else" * 1_000)
    with pytest.raises(ArtefactCorrupt, match=r"log\.sqlite") as caught:
        sink.write(rows_of(answered("r1", ["a"], [0.5])))
    assert "move it away" in caught.value.hint
    assert sink.path.read_bytes() == b"something else" * 1_000


def test_a_full_spool_is_full_storage_and_takes_rows_again_once_some_are_removed(
    tmp_path: Path,
) -> None:
    rows = rows_of(answered("r1", ["a"] * 500, [0.5] * 500))
    with closing(SqliteSink(tmp_path / "spool.sqlite", 100_000)) as spool:
        spool.write(rows)
        with pytest.raises(StorageFull, match=r"spool\.sqlite.*log\.spool_mb") as caught:
            spool.write(rows)
        assert "free some space" in caught.value.hint
        spool.remove(spool.oldest_rows(500, 1 << 20)[-1][0])
        assert spool.write(rows[:100]) == 100


def test_a_limit_on_the_size_of_files_is_full_storage(sink: SqliteSink) -> None:
    rows = rows_of(answered("r1", ["a"] * 5_000, [0.5] * 5_000))
    sink.write(rows[:1])
    with small_files(100_000), pytest.raises(StorageFull, match="no room left to write"):
        sink.write(rows)
    assert sink.write(rows) == 5_000
    assert sink.answered() == {VERSION: 5_001}


def test_a_locked_file_can_be_used_later(sink: SqliteSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightmodel.predictions.sqlite._BUSY_S", 0.05)
    rows = rows_of(answered("r1", ["a"], [0.5]))
    sink.write(rows)
    sink.close()
    with closing(sqlite3.connect(sink.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SourceUnavailable, match="locked"):
            sink.write(rows)
        other.execute("ROLLBACK")
    assert sink.write(rows) == 1


def test_the_oldest_rows_are_read_in_batches_and_can_be_removed(sink: SqliteSink) -> None:
    sink.write(rows_of(*(answered(f"r{number}", ["a"] * 3, [0.5] * 3) for number in range(5))))
    first = sink.oldest_rows(4, 1 << 20)
    assert len(first) == 4
    assert len(sink.oldest_rows(100, characters([first[0][1]]) + 1)) == 2
    sink.remove(first[-1][0])
    assert [row[:2] for row in sink.rows()][:2] == [("r1", 2), ("r1", 3)]
    sink.remove(sink.oldest_rows(100, 1 << 20)[-1][0])
    assert sink.oldest_rows(100, 1 << 20) == []
    assert sink.used_bytes() == 0


def test_ids_are_indexed_from_the_first_label_on(sink: SqliteSink) -> None:
    def indexes() -> list[str]:
        with closing(sqlite3.connect(sink.path)) as connection:
            names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")
            return [name for (name,) in names]

    sink.write(rows_of(answered("r1", ["a"], [0.5])))
    assert "predictions_by_id" not in indexes()
    sink.add_ground_truth({"a": "yes"}, at(1))
    assert "predictions_by_id" in indexes()


def test_a_pruned_file_shrinks(sink: SqliteSink) -> None:
    for day in (3, 4):
        sink.write(rows_of(answered("r1", ["a"] * 20_000, [0.5] * 20_000, time=at(0, day=day))))
    sink.close()
    before = sink.path.stat().st_size
    assert prune(sink, LogSection(keep_days=2), at(0, day=6)).rows == 20_000
    sink.close()
    assert sink.path.stat().st_size < 0.6 * before
    assert sink.answered() == {VERSION: 20_000}
