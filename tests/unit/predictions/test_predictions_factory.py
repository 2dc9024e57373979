"""Which prediction log a configuration opens."""

import os
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from filelock import FileLock

from lightmodel.config import Config, LogSection, StoreSection
from lightmodel.errors import AlreadyRunning, ConfigError, SourceUnavailable
from lightmodel.predictions.factory import log_folder, open_log, open_sink, prune_log, spooled_bytes
from lightmodel.predictions.sqlite import SqliteSink, check_sqlite
from tests.fakes.answers import VERSION, answered, at, rows_of
from tests.fakes.postgres import postgres
from tests.fakes.waiting import wait_until


def configured(**settings: Any) -> Config:
    return Config(log=LogSection(**settings))


def ignore(_name: str, _number: int) -> None:
    """Count nothing."""


@pytest.mark.parametrize("sink", ["sqlite", "csv"])
def test_recorded_rows_are_found_in_the_sink(sink: str) -> None:
    config = configured(sink=sink)
    log = open_log(config, ignore)
    assert log is not None
    log.record(answered("r1", ["a", "b"], [0.1, 0.9]))
    log.close()
    opened = open_sink(config)
    assert opened.answered() == {VERSION: 2}
    opened.close()
    assert Path("var/log").is_dir()


def test_the_csv_sink_stores_rows_in_sqlite_and_a_warning_names_the_export_command(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert open_log(configured(sink="csv"), ignore) is not None
    (warning,) = [record.message for record in caplog.records]
    assert "`python -m lightmodel export FILE`" in warning
    assert str(Path("var/log/predictions.sqlite")) in warning


@pytest.mark.postgres
def test_opening_the_sink_first_ships_rows_that_a_dead_server_left_in_the_spool() -> None:
    Path("var/log").mkdir(parents=True)
    with closing(SqliteSink(Path("var/log/spool.sqlite"))) as spool:
        spool.write(rows_of(answered("r1", ["a"], [0.1])))
    with postgres() as cluster:
        config = configured(sink="postgres", url=cluster.url)
        with closing(open_sink(config)) as sink:
            assert sink.answered() == {VERSION: 1}
    assert spooled_bytes(config) == 0


@pytest.mark.parametrize("settings", [{"sink": "none"}, {"rate": 0}])
def test_a_log_that_is_off_creates_no_file(settings: dict[str, Any]) -> None:
    assert open_log(configured(**settings), ignore) is None
    assert spooled_bytes(configured(**settings)) == 0
    assert not Path("var").exists()


def test_the_error_for_a_log_that_is_off_names_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"log\.sink"):
        open_sink(configured(sink="none"))


def test_each_store_has_a_log_of_its_own_by_default() -> None:
    tables = [Config(store=StoreSection(root=Path(name))) for name in (".", "var/a", "var/b")]
    for table in (*tables, tables[1]):
        log = open_log(table, ignore)
        assert log is not None
        log.record(answered("r1", ["a"], [0.5]))
        log.close()
    for table, rows in zip(tables, (1, 2, 1), strict=True):
        with closing(open_sink(table)) as sink:
            assert sink.answered() == {VERSION: rows}
    assert [str(log_folder(table)) for table in tables] == ["var/log", "var/a/log", "var/b/log"]
    assert log_folder(Config(store=StoreSection(root=Path.cwd()))) == Path("var/log")
    named = LogSection(folder=Path("here"))
    assert log_folder(Config(log=named, store=tables[1].store)) == Path("here")


@pytest.mark.parametrize("sink", ["sqlite", "csv"])
def test_a_log_in_the_former_default_folder_is_named_until_another_begins(
    sink: Literal["sqlite", "csv"], caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(log=LogSection(sink=sink), store=StoreSection(root=Path("var/prices")))

    def warned() -> bool:
        caplog.clear()
        log = open_log(config, ignore)
        assert log is not None
        log.record(answered("r1", ["a"], [0.5]))
        log.close()
        return "a new one begins in" in caplog.text

    before = configured(folder=Path("var/log"))
    with closing(open_sink(before)) as former:
        former.write(rows_of(answered("r0", ["a"], [0.5])))
    with closing(open_sink(config)):
        assert 'continue it by log.folder = "var/log"' in caplog.text
    assert [warned(), warned()] == [True, False]
    caplog.clear()
    with closing(open_sink(before)):
        assert not caplog.text


@pytest.mark.parametrize("sink", ["sqlite", "csv"])
def test_an_unwritable_folder_is_one_warning_and_no_log(
    sink: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path("var").write_text("in the way")
    assert open_log(configured(sink=sink), ignore) is None
    (said,) = [record.message for record in caplog.records]
    assert "without a prediction log" in said
    with pytest.raises(ConfigError, match=r"log\.folder"):
        open_sink(configured(sink=sink))


def test_a_read_only_folder_is_unwritable_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    if os.geteuid() == 0:
        folder = Path("/proc/self")  # root may write anywhere but there
    else:
        folder = Path("shut")
        folder.mkdir(mode=0o500)
    assert open_log(configured(folder=folder), ignore) is None
    assert "without a prediction log" in caplog.text


@pytest.mark.parametrize("kind", ["cifs", "nfs4", "smb3", "fuse.sshfs"])
def test_sqlite_is_refused_on_a_network_file_system(tmp_path: Path, kind: str) -> None:
    mounts = tmp_path / "mounts"
    share = tmp_path / "a share"
    place = str(share).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\n//host/x {place} {kind} rw 0 0\n")
    (share / "var" / "log").mkdir(parents=True)
    with pytest.raises(ConfigError, match=kind) as caught:
        check_sqlite(share / "var" / "log", mounts)
    assert "postgres" in caught.value.hint
    check_sqlite(tmp_path, mounts)
    check_sqlite(share, tmp_path / "no such list")


def test_postgres_without_a_url_names_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"log\.url") as caught:
        open_log(configured(sink="postgres"), ignore)
    assert "LIGHTMODEL__LOG__URL" in caught.value.hint


def test_postgres_without_its_library_names_the_file_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "lightmodel.predictions.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match="psycopg") as caught:
        open_log(configured(sink="postgres", url="postgresql://app@127.0.0.1/x"), ignore)
    assert "requirements/postgres.txt" in caught.value.hint


@pytest.mark.postgres
def test_the_log_opens_while_the_database_is_down() -> None:
    config = configured(sink="postgres", url="postgresql://app:word@127.0.0.1:1/x")
    log = open_log(config, ignore)
    assert log is not None
    assert spooled_bytes(config) == 0
    log.record(answered("r1", ["a"], [0.1]))
    log.close()
    assert spooled_bytes(config) > 0
    with pytest.raises(SourceUnavailable):
        open_sink(config)


def test_the_service_prunes_its_log_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightmodel.predictions.log._FIRST_PRUNE_S", 0.05)
    monkeypatch.setattr("lightmodel.predictions.log._PRUNE_INTERVAL_S", 0.05)
    config = configured(keep_days=2)
    log = open_log(config, ignore)
    assert log is not None
    log.record(answered("r1", ["a", "b"], [0.1, 0.9], time=at(0)))
    log.record(answered("r2", ["c"], [0.1], time=datetime.now(UTC)))
    with closing(open_sink(config)) as sink:
        wait_until(lambda: [row[0] for row in sink.rows()] == ["r2"], "the old rows to be deleted")
    log.close()


def test_one_process_prunes_at_a_time() -> None:
    Path("var/log").mkdir(parents=True)
    with FileLock("var/log/prune.lock"), pytest.raises(AlreadyRunning, match="another process"):
        prune_log(configured(keep_days=2))


def test_pruning_a_log_without_limits_names_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"log\.keep_days nor log\.max_mb") as caught:
        prune_log(configured())
    assert "--set log.keep_days" in caught.value.hint
