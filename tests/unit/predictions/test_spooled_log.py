"""The prediction log of a process: what is lost when, and what is not."""

import fcntl
import logging
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lightmodel.errors import DataError, SourceUnavailable
from lightmodel.predictions.shipping import ship
from lightmodel.predictions.spool import Spool, segments, waiting_bytes
from lightmodel.predictions.spooled import Limits, SpooledLog
from lightmodel.predictions.sqlite import FILE, SqliteSink
from tests.fakes.answers import answered, lines
from tests.fakes.logging_process import ROWS, SINKS
from tests.fakes.project import ROOT

LONGEST_S = 60


class Counts:
    """Remembers what it was told, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.of: Counter[str] = Counter()

    def __call__(self, name: str, number: int) -> None:
        with self._lock:
            self.of[name] += number


class Moody(SqliteSink):
    """A sink that can be down, and that remembers the first request of each batch."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.down = False
        self.asked = 0
        self.came: list[bytes] = []

    def write(self, lines: bytes) -> int:
        self.asked += 1
        if self.down:
            raise SourceUnavailable("down")
        self.came += [line[:20] for line in lines.splitlines()]
        return super().write(lines)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def counts() -> Counts:
    return Counts()


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not reached():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def kept(folder: Path) -> list[tuple[str, int]]:
    """Give request and row of all that is in the sink of a folder."""
    tables = [path.read_text().splitlines()[1:] for path in folder.glob("predictions-*.csv")]
    if tables:
        cells = [line.split(",") for table in tables for line in table]
        return sorted((row[0], int(row[1])) for row in cells)
    with sqlite3.connect(folder / FILE) as connection:
        rows = connection.execute("SELECT request, row FROM predictions ORDER BY 1, 2").fetchall()
    connection.close()
    return rows


def test_what_is_recorded_comes_to_the_sink_by_itself(
    spool: Path, tmp_path: Path, counts: Counts
) -> None:
    log = SpooledLog(spool, SqliteSink(tmp_path), Limits(), counts)
    for number in range(30):
        log.record(answered(f"r{number:02d}", ["a", "b"], [0.1, 0.9]))
    until(lambda: counts.of["logged"] == 60)
    assert kept(tmp_path) == [(f"r{number:02d}", row) for number in range(30) for row in (1, 2)]
    log.close()
    assert counts.of == {"spooled": 60, "logged": 60}
    assert waiting_bytes(spool) == 0


def test_closing_loses_nothing_that_was_recorded(
    spool: Path, tmp_path: Path, counts: Counts
) -> None:
    log = SpooledLog(spool, SqliteSink(tmp_path), Limits(), counts)
    log.record(answered("r1", ["a"] * 100_000, [0.5] * 100_000))
    log.record(answered("r2", ["a"], [0.5]))
    log.close()
    assert len(kept(tmp_path)) == 100_001
    log.record(answered("r3", ["a"], [0.5]))
    assert counts.of == {"spooled": 100_001, "logged": 100_001, "dropped": 1}


def test_a_log_that_was_never_used_starts_nothing(spool: Path, tmp_path: Path) -> None:
    before = threading.active_count()
    log = SpooledLog(spool, SqliteSink(tmp_path), Limits(), Counts())
    assert threading.active_count() == before
    log.close()
    assert not (tmp_path / FILE).exists()


def test_while_the_sink_is_down_rows_wait_and_then_come_in_order(
    spool: Path, tmp_path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sink = Moody(tmp_path)
    sink.down = True
    log = SpooledLog(spool, sink, Limits(), counts)
    for number in range(50):
        log.record(answered(f"r{number:02d}", ["a"], [0.5]))
        if number == 25:
            until(lambda: sink.asked)
    until(lambda: counts.of["spooled"] == 50)
    assert counts.of["logged"] == 0
    assert waiting_bytes(spool) > 0
    sink.down = False
    until(lambda: counts.of["logged"] == 50)
    log.close()
    assert sink.came == sorted(sink.came)
    assert [name for name, _ in kept(tmp_path)] == [f"r{number:02d}" for number in range(50)]
    said = [record.levelname for record in caplog.records if "the sink" in record.message]
    assert said == ["WARNING", "INFO"]


def test_a_full_spool_drops_further_rows_counts_them_and_warns_once(
    spool: Path, tmp_path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Moody(tmp_path)
    sink.down = True
    limit = 1 << 20
    log = SpooledLog(spool, sink, Limits(spool_bytes=limit), counts)
    for number in range(1_000):
        log.record(answered(f"r{number:03d}", ["a"] * 50, [0.5] * 50))
    log.close()
    assert waiting_bytes(spool) <= limit
    assert counts.of["dropped"] > 0
    assert counts.of["spooled"] + counts.of["dropped"] == 1_000 * 50
    assert len([record for record in caplog.records if "dropped" in record.message]) == 1
    sink.down = False
    ship(spool, sink, counts)
    assert len(kept(tmp_path)) == counts.of["spooled"] == counts.of["logged"]
    sink.close()


def test_a_full_queue_drops_whole_requests_but_never_a_first_one(
    spool: Path, tmp_path: Path, counts: Counts
) -> None:
    log = SpooledLog(spool, SqliteSink(tmp_path), Limits(queue_rows=10), counts)
    log.record(answered("big", ["a"] * 50_000, [0.5] * 50_000))
    for number in range(100):
        log.record(answered(f"r{number:02d}", ["a"] * 11, [0.5] * 11))
    log.close()
    per_request = Counter(name for name, _ in kept(tmp_path))
    assert per_request.pop("big") == 50_000
    assert set(per_request.values()) <= {11}
    assert counts.of["dropped"] == 1_100 - per_request.total() > 0
    assert counts.of["logged"] == 50_000 + per_request.total()


def test_rows_that_are_no_json_are_dropped_alone(
    spool: Path, tmp_path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    log = SpooledLog(spool, SqliteSink(tmp_path), Limits(), counts)
    log.record(answered("r1", ["a"], [0.5], predictions=[object()]))
    log.record(answered("r2", ["a"], [0.5]))
    log.close()
    assert kept(tmp_path) == [("r2", 1)]
    assert counts.of == {"dropped": 1, "spooled": 1, "logged": 1}
    assert "no JSON" in caplog.text


def test_a_segment_of_a_dead_writer_is_sent_and_its_torn_end_is_not(
    spool: Path, tmp_path: Path, counts: Counts
) -> None:
    whole = lines(answered("r1", ["a", "b"], [0.1, 0.2]))
    (spool / "00000000000000000001-1-aaaaaa.jsonl").write_bytes(whole + whole[:50])
    sink = SqliteSink(tmp_path)
    ship(spool, sink, counts)
    assert kept(tmp_path) == [("r1", 1), ("r1", 2)]
    assert segments(spool) == []
    sink.close()


def test_a_segment_of_a_living_writer_is_left_to_it(
    spool: Path, tmp_path: Path, counts: Counts
) -> None:
    writer = Spool(spool, 1 << 20)
    writer.append(lines(answered("r1", ["a"], [0.1])))
    sink = SqliteSink(tmp_path)
    ship(spool, sink, counts)
    assert counts.of["logged"] == 0
    writer.rest()
    ship(spool, sink, counts)
    assert kept(tmp_path) == [("r1", 1)]
    sink.close()


def test_what_a_crash_of_the_machine_damaged_is_kept_aside_and_the_rest_is_sent(
    spool: Path, tmp_path: Path, counts: Counts
) -> None:
    first, last = (lines(answered(name, ["a"], [0.1])) for name in ("r1", "r2"))
    damaged = first + b"\0" * 50 + b"\n" + last
    (spool / "00000000000000000001-1-aaaaaa.jsonl").write_bytes(damaged)
    (spool / "00000000000000000002-1-aaaaaa.jsonl").write_bytes(lines(answered("r3", ["a"], [0.1])))
    sink = SqliteSink(tmp_path)
    ship(spool, sink, counts)
    assert kept(tmp_path) == [("r1", 1), ("r2", 1), ("r3", 1)]
    assert [path.read_bytes() for path in spool.glob("*.refused")] == [damaged]
    sink.close()


class Refusing(SqliteSink):
    """A sink that will never take one of the requests."""

    def write(self, lines: bytes) -> int:
        if b"strange" in lines:
            raise DataError("strange")
        return super().write(lines)


def test_a_segment_that_the_sink_refuses_does_not_hold_up_the_next_one(
    spool: Path, tmp_path: Path, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    for number, name in enumerate(["strange", "r2"]):
        path = spool / f"{number}-1-aaaaaa.jsonl"
        path.write_bytes(lines(answered(name, ["a"], [0.1])))
    sink = Refusing(tmp_path)
    ship(spool, sink, counts)
    assert kept(tmp_path) == [("r2", 1)]
    assert segments(spool) == []
    assert len(list(spool.glob("*.refused"))) == 1
    assert "0-1-aaaaaa.refused" in caplog.text
    sink.close()


def test_one_process_sends_at_a_time(spool: Path, tmp_path: Path, counts: Counts) -> None:
    (spool / "00000000000000000001-1-aaaaaa.jsonl").write_bytes(lines(answered("r1", ["a"], [0.1])))
    with (spool / ".shipping.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        ship(spool, SqliteSink(tmp_path), counts)
    assert len(segments(spool)) == 1
    assert not counts.of


@contextmanager
def logging_process(
    folder: Path, name: str, most: int = 0, sink: str = "sqlite"
) -> Iterator["subprocess.Popen[str]"]:
    (folder / "spool").mkdir(exist_ok=True)
    words = [str(folder), name, str(most), sink]
    command = [sys.executable, "-m", "tests.fakes.logging_process", *words]
    with (folder / f"{name}.out").open("w") as out, (folder / f"{name}.err").open("w") as err:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def told(folder: Path, name: str) -> Counter[str]:
    """Sum up what a process said that it did."""
    found: Counter[str] = Counter()
    for line in (folder / f"{name}.out").read_text().splitlines():
        what, _, number = line.partition(" ")
        found[what] += int(number)
    return found


def recorded(folder: Path, name: str) -> int:
    lines_ = [line for line in (folder / f"{name}.err").read_text().splitlines() if line.isdigit()]
    return int(lines_[-1])


@pytest.mark.parametrize("kind", SINKS)
def test_killed_at_any_moment_every_spooled_row_is_in_the_sink_exactly_once(
    tmp_path: Path, kind: str
) -> None:
    names = ("a", "b", "c")
    for turn, name in enumerate(names):
        with logging_process(tmp_path, name, sink=kind):
            until(lambda name=name: told(tmp_path, name)["spooled"] > 100)  # type: ignore[misc]
            time.sleep(0.4 * turn)  # one before the first sending, the others around it
    sink = SINKS[kind](tmp_path)
    ship(tmp_path / "spool", sink, Counts())
    sink.close()
    rows = kept(tmp_path)
    assert len(rows) == len(set(rows))
    for name in names:
        requests = sorted({request for request, _ in rows if request.startswith(name)})
        assert requests == [f"{name}-{number:06d}" for number in range(len(requests))]
        spooled = told(tmp_path, name)["spooled"]
        assert spooled <= len(requests) * ROWS <= recorded(tmp_path, name) * ROWS + ROWS
    assert len(rows) % ROWS == 0


def test_asked_to_stop_a_process_loses_nothing(tmp_path: Path) -> None:
    with logging_process(tmp_path, "a") as process:
        until(lambda: told(tmp_path, "a")["spooled"] > 100)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=LONGEST_S) == 0
    assert len(kept(tmp_path)) >= recorded(tmp_path, "a") * ROWS
    assert segments(tmp_path / "spool") == []


def test_several_processes_share_one_file_and_one_takes_over_from_a_dead_one(
    tmp_path: Path,
) -> None:
    with logging_process(tmp_path, "a") as first, logging_process(tmp_path, "b") as second:
        until(lambda: told(tmp_path, "a")["spooled"] > 100 < told(tmp_path, "b")["spooled"])
        first.kill()
        first.wait()
        spooled = told(tmp_path, "a")["spooled"]
        until(lambda: sum(name.startswith("a") for name, _ in rows_so_far(tmp_path)) >= spooled)
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=LONGEST_S) == 0
    rows = kept(tmp_path)
    assert len(rows) == len(set(rows))
    ours = sum(name.startswith("b") for name, _ in rows)
    assert ours >= recorded(tmp_path, "b") * ROWS


def rows_so_far(folder: Path) -> list[tuple[str, int]]:
    try:
        return kept(folder)
    except sqlite3.OperationalError:
        return []


def test_on_a_full_disk_the_process_goes_on_and_what_it_says_is_kept_is_there_later(
    tmp_path: Path,
) -> None:
    with logging_process(tmp_path, "a", most=20_000) as process:
        until(lambda: told(tmp_path, "a")["dropped"] > 500)
        process.send_signal(signal.SIGUSR1)  # room again
        before = told(tmp_path, "a")["spooled"]
        until(lambda: told(tmp_path, "a")["spooled"] > before + 500)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=LONGEST_S) == 0
    found = told(tmp_path, "a")
    rows = kept(tmp_path)
    assert len(rows) == len(set(rows)) == found["spooled"] == found["logged"]
    assert found["spooled"] + found["dropped"] >= recorded(tmp_path, "a") * ROWS
    said = (tmp_path / "a.err").read_text()
    assert said.count("cannot be spooled") == 1, said
