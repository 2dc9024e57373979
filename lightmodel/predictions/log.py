"""The prediction log of one process: a queue, a thread that writes it, and one that ships rows."""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from lightmodel.config import LogSection
from lightmodel.config.base import redacted
from lightmodel.errors import DataError, LightModelError
from lightmodel.predictions.base import AnsweredRows, Row, Sink, characters, encode
from lightmodel.predictions.shadows import PREDICTIONS
from lightmodel.predictions.sqlite import SqliteSink

logger = logging.getLogger(__name__)

_WRITE_INTERVAL_S = 0.25  # rows that arrive within it are written together
_RETRY_S = 1.0  # the pause after a failure; each failed shipment doubles it
_MAX_RETRY_S = 30.0
_FIRST_PRUNE_S, _PRUNE_INTERVAL_S = 10.0, 600.0
_BATCH_ROWS = 500  # at most, written in one transaction
_MAX_UNWRITTEN_BYTES = 16 << 20  # held in memory while the file cannot be written
_SHIP_ROWS, _SHIP_BYTES = 5_000, 1 << 19  # the most in one shipment

Count = Callable[[str, int], None]
Prune = Callable[[Callable[[], bool]], None]  # gets a function that says when to end early


class Outage:
    """Logs the beginning and the end of a failure, once each."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.is_active = False

    def begin(self, why: object) -> None:
        """Log a warning, unless the failure is already known."""
        if not self.is_active:
            logger.warning("prediction log: %s: %s", self._what, why)
        self.is_active = True

    def end(self) -> None:
        """Log that the failure is over, if there was one."""
        if self.is_active:
            logger.info("prediction log: resolved: %s", self._what)
        self.is_active = False


class PredictionLog:
    """Queues answered rows, and writes them to a SQLite file in a thread of its own.

    It never raises, and a request never waits for a disk. The file is the log itself or, with a
    `server`, the spool from which rows are shipped to it. `count` is called with "spooled" (written
    to the file), "logged" (in the log) or "dropped" and a number of rows. `prune` is called from time
    to time. The threads start at the first row, hence after gunicorn's fork.
    """

    def __init__(
        self,
        path: Path,
        limits: LogSection,
        count: Count,
        server: Sink | None = None,
        prune: Prune | None = None,
        table: str = PREDICTIONS,
    ) -> None:
        self._limits = limits
        self._count = count
        self._file = SqliteSink(path, limits.spool_mb << 20 if server else None, table)
        self._unstarted: list[Callable[[], None]] = [self._keep_writing]
        if server is not None:
            self._unstarted.append(partial(self._keep_shipping, server))
        if prune is not None:
            self._unstarted.append(partial(self._keep_pruning, prune))
        self._stored_as = ("spooled",) if server else ("spooled", "logged")
        self._queue: deque[AnsweredRows] = deque()
        self._recorded = 0  # rows that were queued
        self._taken = 0  # rows of them that the thread has dealt with
        self._unwritten: list[Row] = []
        self._unwritten_bytes = 0  # counted while the file cannot be written
        self._lock = threading.Lock()  # never held by the threads, so that nobody waits for them
        self._threads: list[threading.Thread] = []
        self._process = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._written = threading.Event()
        self._overflow = Outage("rows arrive faster than they can be written and are dropped")
        self._disk = Outage("rows cannot be written; some wait in memory, the rest are dropped")
        self._down = Outage("the database does not accept rows; they wait in the spool")

    def record(self, rows: AnsweredRows) -> None:
        """Queue the rows of one request; a full queue drops them."""
        number = len(rows.predictions)
        with self._lock:
            waiting = self._recorded - self._taken
            full = waiting > 0 and waiting + number > self._limits.queue_rows
            refused = full or self._stopping.is_set() or (self._unstarted and not self._start())
            if not refused:
                self._recorded += number
                self._queue.append(rows)
        if refused:
            self._count("dropped", number)
            if full:
                self._overflow.begin(f"log.queue_rows is {self._limits.queue_rows}")
        elif not self._wake.is_set():
            self._wake.set()

    def close(self, timeout_s: float = 10.0) -> None:
        """Write the queued rows and ship once; the next process ships those that are left."""
        if self._process != os.getpid():
            return
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if lost := self._recorded - self._taken + len(self._unwritten):
            self._count("dropped", lost)
        atexit.unregister(self.close)

    def _start(self) -> bool:
        """Start the threads that do not run yet; return whether the one that writes does."""
        with suppress(RuntimeError):  # the system's limit of threads; the next row tries again
            while self._unstarted:
                thread = threading.Thread(target=self._unstarted[0], daemon=True)
                thread.start()
                self._threads.append(thread)
                del self._unstarted[0]
        if self._threads and not self._process:
            self._process = os.getpid()
            atexit.register(self.close)
        return bool(self._threads)

    def _keep_writing(self) -> None:
        while not self._stopping.is_set():
            if not self._wake.wait(_RETRY_S):
                self._overflow.end()
            self._wake.clear()
            self._write_queue()
            self._stopping.wait(_RETRY_S if self._disk.is_active else _WRITE_INTERVAL_S)
        self._write_queue()
        self._file.close()
        self._written.set()

    def _write_queue(self) -> None:
        for rows in self._encoded():
            if self._disk.is_active and self._unwritten_bytes >= _MAX_UNWRITTEN_BYTES:
                self._count("dropped", len(rows))
                continue
            self._unwritten += rows
            if self._disk.is_active:
                self._unwritten_bytes += characters(rows)
            elif len(self._unwritten) >= _BATCH_ROWS:
                self._write()
        self._write()

    def _encoded(self) -> Iterator[list[Row]]:
        while self._queue:
            answered = self._queue.popleft()
            number = len(answered.predictions)
            done = 0
            try:
                for rows in encode(answered, self._limits.rate):
                    done += len(rows)
                    yield rows
            except (TypeError, ValueError):
                logger.exception("prediction log: rows that cannot be encoded as JSON are dropped")
                self._count("dropped", number - done)
            self._taken += number

    def _write(self) -> None:
        """Write the encoded rows; those from the first failure on wait for the next call."""
        while batch := _first_batch(self._unwritten):
            try:
                self._file.write(batch)
            except DataError:
                logger.exception("prediction log: rows that SQLite refuses are dropped")
                self._count("dropped", len(batch))
            except LightModelError as error:
                self._disk.begin(f"{error.message}; {error.hint}")
                self._unwritten_bytes = characters(self._unwritten)
                return
            else:
                self._disk.end()
                for what in self._stored_as:
                    self._count(what, len(batch))
            del self._unwritten[: len(batch)]

    def _keep_shipping(self, server: Sink) -> None:
        pause = _RETRY_S
        while not self._written.wait(pause):
            shipped = self._ship(server)
            pause = _RETRY_S if shipped else min(2 * pause, _MAX_RETRY_S)
        self._ship(server, timeout_s=2.0)
        server.close()

    def _keep_pruning(self, prune: Prune) -> None:
        pause = _FIRST_PRUNE_S
        while not self._stopping.wait(pause):
            try:
                prune(self._stopping.is_set)
            except LightModelError as error:
                logger.warning("prediction log: not pruned: %s; %s", error.message, error.hint)
            pause = _PRUNE_INTERVAL_S

    def _ship(self, server: Sink, timeout_s: float = 0.0) -> bool:
        try:
            ship(self._file.path, server, self._count, timeout_s)
        except Exception as error:  # noqa: BLE001 — no error may end the thread; the rows wait
            why = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            self._down.begin(redacted(" ".join(why.split())) or type(error).__name__)
            return False
        self._down.end()
        return True


def _first_batch(rows: list[Row]) -> list[Row]:
    """Return the rows of the next transaction: whole requests, but of one that alone is larger, a part."""
    batch = rows[:_BATCH_ROWS]
    if len(rows) > len(batch):
        cut = rows[len(batch)][0]
        batch = [row for row in batch if row[0] != cut] or batch
    return batch


def ship(spool: Path, server: Sink, count: Count, timeout_s: float = 0.0) -> None:
    """Send the rows of a spool to the server's table, oldest first; remove each once the server has it.

    One process ships at a time; if another holds the lock longer than `timeout_s`, this returns.

    Raises:
        LightModelError: the server or the file cannot be used (see `Sink`); the rest stays spooled.
    """
    file = SqliteSink(spool, table=server.table)
    lock = ".lock" if server.table == PREDICTIONS else f".{server.table}.lock"
    try:
        with FileLock(spool.with_suffix(lock), timeout=timeout_s):
            while batch := file.oldest_rows(_SHIP_ROWS, _SHIP_BYTES):
                _send(batch, file, server, count)
    except Timeout:
        return
    finally:
        file.close()


def _send(batch: list[tuple[int, Row]], spool: SqliteSink, server: Sink, count: Count) -> None:
    """Send a batch; halve one that the server refuses, until the refused rows are found."""
    last = batch[-1][0]
    try:
        count("logged", server.write([row for _, row in batch]))
    except DataError as error:
        if len(batch) > 1:
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                _send(half, spool, server, count)
            return
        spool.set_aside(last)
        where = f"the table `refused` of {spool.path.name}"
        logger.warning("prediction log: a row was moved to %s: %s", where, error.message)
    spool.remove(last)
