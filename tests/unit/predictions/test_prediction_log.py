"""The prediction log of one process: when rows are stored_rows, and when they are dropped."""

import logging
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from lightmodel.config import LogSection
from lightmodel.errors import DataError, SourceUnavailable
from lightmodel.predictions.base import Row
from lightmodel.predictions.log import PredictionLog, ship
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import answered, rows_of
from tests.fakes.logging_process import ROWS
from tests.fakes.project import ROOT
from tests.fakes.waiting import LONGEST_S, running, wait_until

SINKS = ["sqlite", "server"]


class Counts:
    """Sums up the reported numbers of rows by name, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.of: Counter[str] = Counter()

    def __call__(self, name: str, number: int) -> None:
        with self._lock:
            self.of[name] += number


class Server(SqliteSink):
    """A database server that can be down, refuses some requests, and remembers what it got."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "server.sqlite")
        self.down = False
        self.attempts = 0
        self.requests: list[str] = []

    def write(self, rows: Sequence[Row]) -> int:
        self.attempts += 1
        requests = [row[0] for row in rows]
        if self.down:
            raise SourceUnavailable("down")
        if "strange" in requests:
            raise DataError("it is strange")
        self.requests += requests
        return super().write(rows)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


@pytest.fixture
def counts() -> Counts:
    return Counts()


def until(condition: Callable[[], object]) -> None:
    wait_until(condition, "the expected state of the log")


def stored_rows(path: Path, table: str = "predictions") -> list[tuple[str, int]]:
    """Return (request, row) of all rows in a file, which may not exist yet."""
    with closing(SqliteSink(path)) as sink:
        sink.answered()
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT request, row FROM {table} ORDER BY 1, 2").fetchall()


def leave_in_spool(path: Path, *requests: str) -> None:
    """Leave requests of one row in a spool, as a killed process does."""
    with closing(SqliteSink(path)) as spool:
        for request in requests:
            spool.write(rows_of(answered(request, ["a"], [0.1])))


def test_recorded_rows_are_written_to_the_file_in_the_background(
    path: Path, counts: Counts
) -> None:
    log = PredictionLog(path, LogSection(), counts)
    for number in range(30):
        log.record(answered(f"r{number:02d}", ["a", "b"], [0.1, 0.9]))
    until(lambda: counts.of["logged"] == 60)
    assert stored_rows(path) == [(f"r{number:02d}", row) for number in range(30) for row in (1, 2)]
    log.close()
    assert counts.of == {"spooled": 60, "logged": 60}


def test_with_a_server_rows_are_shipped_and_removed_from_the_spool(
    path: Path, tmp_path: Path, counts: Counts
) -> None:
    server = Server(tmp_path)
    log = PredictionLog(path, LogSection(), counts, server)
    log.record(answered("r1", ["a", "b"], [0.1, 0.9]))
    until(lambda: counts.of["logged"] == 2)
    log.close()
    assert stored_rows(server.path) == [("r1", 1), ("r1", 2)]
    assert stored_rows(path) == []


def test_shipped_rows_equal_the_answered_rows(path: Path, tmp_path: Path, counts: Counts) -> None:
    rows = answered("r1", ["ä", None], [0.1, 0.9], features={"x": [0.1 + 0.2, None]})  # type: ignore[list-item]  # no id
    server = Server(tmp_path)
    for sink in (SqliteSink(path), direct := SqliteSink(tmp_path / "direct.sqlite")):
        sink.write(rows_of(rows, answered("r2", ["b"], [0.5], predictions=[True])))
        sink.close()
    ship(path, server, counts)
    assert [*server.rows()] == [*direct.rows()]
    server.close()
    direct.close()


@pytest.mark.parametrize("kind", SINKS)
def test_closing_writes_every_recorded_row(
    path: Path, tmp_path: Path, counts: Counts, kind: str
) -> None:
    server = Server(tmp_path) if kind == "server" else None
    log = PredictionLog(path, LogSection(), counts, server)
    log.record(answered("r1", ["a"] * 100_000, [0.5] * 100_000))
    log.record(answered("r2", ["a"], [0.5]))
    log.close(LONGEST_S)
    assert len(stored_rows(server.path if server else path)) == 100_001
    log.record(answered("r3", ["a"], [0.5]))
    assert counts.of == {"spooled": 100_001, "logged": 100_001, "dropped": 1}


def test_an_unused_log_starts_no_thread_and_writes_no_file(path: Path) -> None:
    before = threading.active_count()
    log = PredictionLog(path, LogSection(), Counts())
    assert threading.active_count() == before
    log.close()
    assert not path.exists()


@pytest.mark.parametrize("kind", SINKS)
def test_at_the_limit_of_threads_each_is_started_once_and_by_a_later_row(
    path: Path, tmp_path: Path, counts: Counts, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    room = 0  # for so many threads
    start = threading.Thread.start

    def start_if_possible(thread: threading.Thread) -> None:
        nonlocal room
        if room == 0:
            raise RuntimeError("can't start new thread")
        room -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_if_possible)
    before = threading.active_count()
    server = Server(tmp_path) if kind == "server" else None
    log = PredictionLog(path, LogSection(), counts, server, lambda _stopped: None)
    log.record(answered("r0", ["a"], [0.5]))
    assert counts.of == {"dropped": 1}
    for number in range(1, 6):
        room += number % 2
        log.record(answered(f"r{number}", ["a"], [0.5]))
    threads = 3 if server else 2
    assert threading.active_count() - before == threads
    assert room == 3 - threads
    log.close(LONGEST_S)
    assert threading.active_count() == before
    assert len(stored_rows(server.path if server else path)) == 5
    assert counts.of == {"spooled": 5, "logged": 5, "dropped": 1}


def test_while_the_server_is_down_rows_wait_and_are_then_shipped_in_order(
    path: Path, tmp_path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = Server(tmp_path)
    server.down = True
    log = PredictionLog(path, LogSection(), counts, server)
    names = [f"r{number:02d}" for number in range(50)]
    for name in names:
        log.record(answered(name, ["a"], [0.5]))
        if name == "r25":
            until(lambda: server.attempts)
    until(lambda: counts.of["spooled"] == 50)
    assert counts.of["logged"] == 0
    assert len(stored_rows(path)) == 50
    server.down = False
    until(lambda: counts.of["logged"] == 50)
    log.close()
    assert server.requests == names
    assert [name for name, _ in stored_rows(server.path)] == names
    levels = [record.levelname for record in caplog.records if "the database" in record.message]
    assert levels == ["WARNING", "INFO"]


def test_a_full_spool_drops_further_rows_counts_them_and_warns_once(
    path: Path, tmp_path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path)
    server.down = True
    log = PredictionLog(path, LogSection(spool_mb=1), counts, server)
    for number in range(1_000):
        log.record(answered(f"r{number:03d}", ["a"] * 50, [0.5] * 50))
    log.close(LONGEST_S)
    assert path.stat().st_size <= 1 << 20
    assert counts.of["dropped"] > 0
    assert counts.of["spooled"] > 0
    assert counts.of["spooled"] + counts.of["dropped"] == 1_000 * 50
    assert len([record for record in caplog.records if "dropped" in record.message]) == 1
    server.down = False
    ship(path, server, counts)
    assert len(stored_rows(server.path)) == counts.of["spooled"] == counts.of["logged"]
    server.close()


def test_rows_wait_in_memory_while_another_process_locks_the_file(
    path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    leave_in_spool(path, "r0")
    log = PredictionLog(path, LogSection(), counts)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        log.record(answered("r1", ["a"], [0.5]))
        until(lambda: "cannot be written" in caplog.text)
        log.record(answered("r2", ["a"], [0.5]))
        other.execute("ROLLBACK")
    until(lambda: counts.of["logged"] == 2)
    log.close()
    assert [name for name, _ in stored_rows(path)] == ["r0", "r1", "r2"]
    assert counts.of["dropped"] == 0
    assert "resolved: rows cannot be written" in caplog.text


def test_a_full_queue_drops_whole_requests_but_never_a_first_one(
    path: Path, counts: Counts
) -> None:
    log = PredictionLog(path, LogSection(queue_rows=10), counts)
    log.record(answered("big", ["a"] * 50_000, [0.5] * 50_000))
    for number in range(100):
        log.record(answered(f"r{number:02d}", ["a"] * 11, [0.5] * 11))
    log.close(LONGEST_S)
    per_request = Counter(name for name, _ in stored_rows(path))
    assert per_request.pop("big") == 50_000
    assert set(per_request.values()) <= {11}
    assert counts.of["dropped"] == 1_100 - per_request.total() > 0
    assert counts.of["logged"] == 50_000 + per_request.total()


def test_only_rows_that_cannot_be_encoded_as_json_are_dropped(
    path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    log = PredictionLog(path, LogSection(), counts)
    log.record(answered("r1", ["a"], [0.5], predictions=[object()]))
    log.record(answered("r2", ["a"], [0.5]))
    log.close()
    assert stored_rows(path) == [("r2", 1)]
    assert counts.of == {"dropped": 1, "spooled": 1, "logged": 1}
    assert "encoded as JSON" in caplog.text


def test_a_sample_of_the_rows_is_kept(path: Path, counts: Counts) -> None:
    log = PredictionLog(path, LogSection(rate=0.25), counts)
    log.record(answered("r1", ["a"] * 4_000, [0.5] * 4_000))
    log.close()
    assert len(stored_rows(path)) == counts.of["logged"] == pytest.approx(1_000, abs=150)


def test_a_row_that_the_server_refuses_is_set_aside_and_does_not_block_the_others(
    path: Path, tmp_path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path)
    leave_in_spool(path, "r1", "r2", "strange", "r3")
    ship(path, server, counts)
    assert [name for name, _ in stored_rows(server.path)] == ["r1", "r2", "r3"]
    assert stored_rows(path) == []
    assert stored_rows(path, "refused") == [("strange", 1)]
    assert counts.of == {"logged": 3}
    assert "a row was moved to the table `refused` of log.sqlite: it is strange" in caplog.text
    server.close()


def test_one_process_ships_at_a_time(path: Path, tmp_path: Path, counts: Counts) -> None:
    leave_in_spool(path, "r1")
    with FileLock(tmp_path / "log.lock"):
        ship(path, Server(tmp_path), counts)
    assert stored_rows(path) == [("r1", 1)]
    assert not counts.of


def test_a_request_is_written_whole_or_not_at_all(path: Path, counts: Counts) -> None:
    with closing(SqliteSink(path)) as sink:
        sink.answered()  # creates the file
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER strange BEFORE INSERT ON predictions WHEN new.request = 'r400' "
            "BEGIN SELECT RAISE(ABORT, 'it is strange'); END"
        )
    log = PredictionLog(path, LogSection(), counts)
    for number in range(800):
        log.record(answered(f"r{number:03d}", ["a"] * ROWS, [0.5] * ROWS))
    log.close()
    assert counts.of["dropped"] > ROWS  # with others of its transaction
    requests = Counter(request for request, _ in stored_rows(path))
    assert requests
    assert set(requests.values()) == {ROWS}


@contextmanager
def logging_process(
    folder: Path, name: str, most: int = 0, sink: str = "sqlite"
) -> Iterator["subprocess.Popen[str]"]:
    words = [str(folder), name, str(most), sink]
    command = [sys.executable, "-m", "tests.fakes.logging_process", *words]
    with (
        (folder / f"{name}.out").open("w") as out,
        (folder / f"{name}.err").open("w") as err,
        running(command, cwd=ROOT, stdout=out, stderr=err, text=True) as process,
    ):
        yield process


def counted(folder: Path, name: str) -> Counter[str]:
    """Sum up what a process has counted."""
    total: Counter[str] = Counter()
    for line in (folder / f"{name}.out").read_text().splitlines():
        what, _, number = line.partition(" ")
        total[what] += int(number)
    return total


def recorded(folder: Path, name: str) -> int:
    lines = [line for line in (folder / f"{name}.err").read_text().splitlines() if line.isdigit()]
    return int(lines[-1])


@pytest.mark.parametrize("kind", SINKS)
def test_killed_at_any_moment_every_spooled_row_is_in_the_log_exactly_once(
    tmp_path: Path, path: Path, kind: str
) -> None:
    names = ("a", "b", "c")
    for turn, name in enumerate(names):
        with logging_process(tmp_path, name, sink=kind):
            until(lambda name=name: counted(tmp_path, name)["spooled"] > 100)  # type: ignore[misc]
            time.sleep(0.4 * turn)  # one before the first shipping, the others around it
    rows = stored_rows(path)
    if kind == "server":  # rows may come twice: the real server recognises copies
        rows = sorted({*rows, *stored_rows(tmp_path / "server.sqlite")})
    assert len(rows) == len(set(rows))
    for name in names:
        requests = sorted({request for request, _ in rows if request.startswith(name)})
        assert requests == [f"{name}-{number:06d}" for number in range(len(requests))]
        spooled = counted(tmp_path, name)["spooled"]
        assert spooled <= len(requests) * ROWS <= recorded(tmp_path, name) * ROWS + ROWS
    assert len(rows) % ROWS == 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kind", SINKS)
def test_a_process_that_is_asked_to_stop_writes_every_row(
    tmp_path: Path, path: Path, kind: str
) -> None:
    with logging_process(tmp_path, "a", sink=kind) as process:
        until(lambda: counted(tmp_path, "a")["spooled"] > 100)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=LONGEST_S) == 0
    log = tmp_path / "server.sqlite" if kind == "server" else path
    assert len(stored_rows(log)) >= recorded(tmp_path, "a") * ROWS


def test_several_processes_share_one_file_and_one_ships_for_a_dead_one(
    tmp_path: Path, path: Path
) -> None:
    server = tmp_path / "server.sqlite"
    with (
        logging_process(tmp_path, "a", sink="server") as first,
        logging_process(tmp_path, "b", sink="server") as second,
    ):
        until(lambda: counted(tmp_path, "a")["spooled"] > 100 < counted(tmp_path, "b")["spooled"])
        first.kill()
        first.wait()
        spooled = counted(tmp_path, "a")["spooled"]
        until(lambda: sum(name[0] == "a" for name, _ in stored_rows(server)) >= spooled)
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=LONGEST_S) == 0
    assert stored_rows(path) == []
    ours = {row for row in stored_rows(server) if row[0].startswith("b")}
    assert len(ours) >= recorded(tmp_path, "b") * ROWS


def test_on_a_full_disk_the_process_continues_and_every_row_counted_as_logged_is_stored(
    tmp_path: Path, path: Path
) -> None:
    with logging_process(tmp_path, "a", most=400_000) as process:
        until(lambda: counted(tmp_path, "a")["dropped"] > 500)
        process.send_signal(signal.SIGUSR1)  # the disk has room again
        before = counted(tmp_path, "a")["spooled"]
        until(lambda: counted(tmp_path, "a")["spooled"] > before + 500)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=LONGEST_S) == 0
    counts = counted(tmp_path, "a")
    rows = stored_rows(path)
    assert len(rows) == len(set(rows)) == counts["spooled"] == counts["logged"]
    assert counts["spooled"] + counts["dropped"] >= recorded(tmp_path, "a") * ROWS
    stderr = (tmp_path / "a.err").read_text()
    assert stderr.count("cannot be written") == 1, stderr
