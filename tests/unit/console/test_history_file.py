"""What was measured outlives the console, and a disk that fails does no harm."""

import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest

from lightmodel.config import ConsoleSection, load
from lightmodel.console.watching.history import History
from lightmodel.console.watching.history_file import HistoryFile, history_file
from lightmodel.console.watching.sampler import look_once
from lightmodel.console.watching.snapshot import Snapshot

NOW = 1_800_000_000.0
SNAPSHOT = Snapshot(
    NOW, 3.0, 1.0, 40.0, {0.1: 2.0, math.inf: 3.0}, {0.05: 40.0}, 1.0, {"age": 2.0}, {"spent": 4.0}
)


def test_snapshots_come_back_as_they_were_but_for_columns_without_cells(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.jsonl"
    HistoryFile(path).add(replace(SNAPSHOT, missing={"age": 2.0, "spent": 0.0}))
    assert HistoryFile(path).read(NOW) == (SNAPSHOT,)


def test_one_a_minute_is_kept_for_a_day(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    file = HistoryFile(path)
    for second in range(0, 130, 10):
        file.add(replace(SNAPSHOT, time=NOW + second))
    assert [one.time - NOW for one in file.read(NOW + 200)] == [0, 60, 120]
    assert [one.time - NOW for one in file.read(NOW + 86_430)] == [60, 120]
    assert [one.time - NOW for one in file.read(NOW + 60)] == [0, 60]
    again = HistoryFile(path)
    again.add(replace(SNAPSHOT, time=NOW + 86_430))
    assert len(path.read_bytes().splitlines()) == 3


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    file = HistoryFile(path)
    for minute in range(4_000):
        file.add(Snapshot(NOW + 60 * minute))
    assert len(path.read_bytes().splitlines()) < 3_000
    assert len(file.read(NOW + 60 * 3_999)) == 1_441


def test_a_line_that_a_kill_has_cut_off_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    HistoryFile(path).add(SNAPSHOT)
    path.write_bytes(path.read_bytes() + path.read_bytes()[:40])
    file = HistoryFile(path)
    assert file.read(NOW) == (SNAPSHOT,)
    later = replace(SNAPSHOT, time=NOW + 60)
    file.add(later)
    assert HistoryFile(path).read(NOW + 60) == (SNAPSHOT, later)


def test_a_disk_that_fails_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    file = HistoryFile(tmp_path / "file" / "history.jsonl")
    with caplog.at_level(logging.WARNING):
        for minute in range(3):
            file.add(Snapshot(NOW + 60 * minute))
    assert len(caplog.records) == 1
    assert file.read(NOW) == ()


def test_each_service_has_a_file_where_there_is_a_folder_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert history_file(load(environ={})) is None
    (tmp_path / "config.toml").write_text("")
    file = history_file(load(environ={}))
    assert file
    file.add(SNAPSHOT)
    assert len(list((tmp_path / "var" / "console").glob("history-*.jsonl"))) == 1
    other = history_file(
        load(
            environ={
                "LIGHTMODEL__CONSOLE__SERVICE_URL": "http://other",
                "LIGHTMODEL__CONSOLE__FOLDER": str(tmp_path / "answers"),
            }
        )
    )
    assert other
    assert other.read(NOW) == ()
    other.add(SNAPSHOT)
    assert len(list((tmp_path / "answers").glob("history-*.jsonl"))) == 1


def test_the_sampler_writes_what_it_sees(service: str, tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "history.jsonl")
    history = History()
    look_once(ConsoleSection(service_url=service, timeout_s=60), history, file)
    (seen,) = history.since(0)
    (kept,) = file.read(seen.time)
    assert (kept.time, kept.requests, kept.seconds) == (seen.time, seen.requests, seen.seconds)
