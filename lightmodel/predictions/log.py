"""The prediction log of one process: a queue, a thread that writes it, and one that ships."""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from lightmodel.config import LogSection
from lightmodel.config.base import redacted
from lightmodel.errors import DataError, SourceUnavailable
from lightmodel.predictions.base import AnsweredRows, Block, Sink, encode
from lightmodel.predictions.sqlite import SqliteSink

logger = logging.getLogger(__name__)

_GATHER_S = 0.05  # rows of that long make one write
_RETRY_S = 1.0  # first pause after a failure; while shipping each one doubles it
_LONGEST_RETRY_S = 30.0
_BATCH_BLOCKS = 64  # that are written at once
_UNWRITTEN_BYTES = 16 << 20  # encoded rows that wait in memory while the file cannot be written
_SHIPPED_ROWS, _SHIPPED_BYTES = 5_000, 1 << 19  # at once, at most

Count = Callable[[str, int], None]


class Outage:
    """Logs once that something does not work, and once that it does again."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.under_way = False

    def begin(self, why: object) -> None:
        """Warn, unless that was done already."""
        if not self.under_way:
            logger.warning("prediction log: %s: %s", self._what, why)
        self.under_way = True

    def end(self) -> None:
        """Log that it works again, if it did not."""
        if self.under_way:
            logger.info("prediction log: over: %s", self._what)
        self.under_way = False


class PredictionLog:
    """Takes rows behind the answer; a moment later they are in a SQLite file.

    It never raises, and a request never waits for a disk. That file is the log, or with a `server`
    the spool from which rows are shipped to it. `count` is called with numbers of rows that were
    "spooled" (written to the file), "logged" (in the log) and "dropped". Nothing is started before
    the first row: that is after the fork.
    """

    def __init__(
        self, path: Path, limits: LogSection, count: Count, server: Sink | None = None
    ) -> None:
        self._limits = limits
        self._count = count
        self._file = SqliteSink(path, limits.spool_mb << 20 if server else None)
        self._server = server
        self._queue: deque[AnsweredRows] = deque()
        self._queued_rows = 0
        self._unwritten: list[Block] = []
        self._unwritten_bytes = 0
        self._lock = threading.Lock()
        self._threads: tuple[threading.Thread, ...] = ()
        self._process = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._written = threading.Event()
        self._overflow = Outage("rows come faster than they can be written and are dropped")
        self._disk = Outage("rows cannot be written; some wait in memory, the rest are dropped")
        self._down = Outage("the sink does not take rows; they wait in the spool")

    def record(self, rows: AnsweredRows) -> None:
        """Keep the rows of one request, or a sample of them."""
        number = len(rows.predictions)
        with self._lock:
            full = self._queued_rows > 0 and self._queued_rows + number > self._limits.queue_rows
            refused = full or self._stopping.is_set() or not self._started()
            if not refused:
                self._queued_rows += number
                self._queue.append(rows)
        if refused:
            self._count("dropped", number)
            self._overflow.begin(f"log.queue_rows is {self._limits.queue_rows}")
        elif not self._wake.is_set():
            self._wake.set()

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is queued and ship once; what then waits is shipped by the next process."""
        if self._process != os.getpid():
            return
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if lost := self._queued_rows + sum(block.rows for block in self._unwritten):
            self._count("dropped", lost)
        atexit.unregister(self.close)

    def _started(self) -> bool:
        if self._threads:
            return True
        work: list[Callable[[], None]] = [self._keep_writing]
        if self._server is not None:
            work.append(partial(self._keep_shipping, self._server))
        threads = tuple(threading.Thread(target=target, daemon=True) for target in work)
        try:
            for thread in threads:
                thread.start()
        except RuntimeError:  # the system has no thread left for us
            return False
        self._threads, self._process = threads, os.getpid()
        atexit.register(self.close)
        return True

    def _keep_writing(self) -> None:
        while not self._stopping.is_set():
            if not self._wake.wait(_RETRY_S):
                self._overflow.end()
            self._wake.clear()
            self._write_queue()
            self._stopping.wait(_RETRY_S if self._disk.under_way else _GATHER_S)
        self._write_queue()
        self._file.close()
        self._written.set()

    def _write_queue(self) -> None:
        for block in self._encoded():
            if self._disk.under_way and self._unwritten_bytes >= _UNWRITTEN_BYTES:
                self._count("dropped", block.rows)
                continue
            self._unwritten.append(block)
            self._unwritten_bytes += len(block.data)
            if len(self._unwritten) >= _BATCH_BLOCKS and not self._disk.under_way:
                self._write()
        self._write()

    def _encoded(self) -> Iterator[Block]:
        while self._queue:
            answered = self._queue.popleft()
            number = len(answered.predictions)
            done = 0
            try:
                for block in encode(answered, self._limits.rate):
                    done += block.rows
                    yield block
            except (TypeError, ValueError):
                logger.exception("prediction log: rows that are no JSON are dropped")
                self._count("dropped", number - done)
            with self._lock:
                self._queued_rows -= number

    def _write(self) -> None:
        """Write what is encoded; from where that fails on, it waits for the next call."""
        while batch := self._unwritten[:_BATCH_BLOCKS]:
            rows = sum(block.rows for block in batch)
            data = b",".join(block.data for block in batch)
            try:
                self._file.write(f"[{data.decode()}]")
            except SourceUnavailable as error:
                self._disk.begin(error.message)
                return
            except DataError:
                logger.exception("prediction log: rows that SQLite refuses are dropped")
                self._count("dropped", rows)
            else:
                self._disk.end()
                for what in ("spooled",) if self._server else ("spooled", "logged"):
                    self._count(what, rows)
            del self._unwritten[:_BATCH_BLOCKS]
            self._unwritten_bytes -= sum(len(block.data) for block in batch)

    def _keep_shipping(self, server: Sink) -> None:
        pause = _RETRY_S
        while not self._written.wait(pause):
            works = self._ship(server)
            pause = _RETRY_S if works else min(2 * pause, _LONGEST_RETRY_S)
        self._ship(server, timeout_s=2.0)
        server.close()

    def _ship(self, server: Sink, timeout_s: float = 0.0) -> bool:
        try:
            ship(self._file.path, server, self._count, timeout_s)
        except Exception as error:  # noqa: BLE001 — whatever it is, the rows wait and the thread lives
            why = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            self._down.begin(redacted(" ".join(why.split())) or type(error).__name__)
            return False
        self._down.end()
        return True


def ship(spool: Path, server: Sink, count: Count, timeout_s: float = 0.0) -> None:
    """Bring the rows of a spool to a server, oldest first; each is removed once the server has it.

    One process ships at a time: another that holds the lock longer than `timeout_s` does it for us.

    Raises:
        SourceUnavailable: the server is down or the file cannot be used; the rest stays.
    """
    file = SqliteSink(spool)
    try:
        with FileLock(spool.with_suffix(".lock"), timeout=timeout_s):
            while batch := file.oldest(_SHIPPED_ROWS, _SHIPPED_BYTES):
                _send(batch, file, server, count)
    except Timeout:
        return
    finally:
        file.close()


def _send(batch: list[tuple[int, str]], spool: SqliteSink, server: Sink, count: Count) -> None:
    """Send a batch; of one that the server refuses the halves, and so on until single rows."""
    last = batch[-1][0]
    try:
        count("logged", server.write(f"[{','.join(row for _, row in batch)}]"))
    except DataError as error:
        if len(batch) > 1:
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                _send(half, spool, server, count)
            return
        spool.set_aside(last)
        table = f"the table refused of {spool.path.name}"
        logger.warning("prediction log: %s keeps a row: %s", table, error.message)
    spool.remove(last)
