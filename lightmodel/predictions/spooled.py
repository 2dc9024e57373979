"""The prediction log of one process: a queue, a thread that spools it, and a thread that sends."""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lightmodel.config.redact import redacted
from lightmodel.predictions.base import Sink
from lightmodel.predictions.lines import Line, encode
from lightmodel.predictions.log import AnsweredRows
from lightmodel.predictions.outage import Outage
from lightmodel.predictions.shipping import ship
from lightmodel.predictions.spool import Spool

logger = logging.getLogger(__name__)

_GATHER_S = 0.05  # rows of that long make one write
_SETTLE_S = 1.0  # a segment is sent when it is that old
_RETRY_S = 1.0  # first pause after a failure; each one doubles it
_LONGEST_RETRY_S = 30.0
_BATCH_BYTES = 1 << 18


@dataclass(frozen=True)
class Limits:
    """How much is kept.

    Attributes:
        rate: share of the rows.
        queue_rows: that wait in memory.
        spool_bytes: that wait on disk, of all processes.
    """

    rate: float = 1.0
    queue_rows: int = 500_000
    spool_bytes: int = 256 << 20


class SpooledLog:
    """Takes rows behind the answer; they are on disk a moment later, and soon in the sink.

    `count` is told of rows that were "spooled", "logged" (are in the sink) and "dropped".
    Nothing is started before the first row: that is after the fork.
    """

    def __init__(
        self, folder: Path, sink: Sink, limits: Limits, count: Callable[[str, int], None]
    ) -> None:
        self._folder = folder
        self._sink = sink
        self._limits = limits
        self._count = count
        self._spool = Spool(folder, limits.spool_bytes)
        self._queue: deque[AnsweredRows] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self._threads: tuple[threading.Thread, ...] = ()
        self._process = 0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._spooled = threading.Event()
        self._overflow = Outage("rows come faster than they can be spooled and are dropped")
        self._disk = Outage("rows cannot be spooled and are dropped")
        self._down = Outage("the sink does not take rows; they wait in the spool")

    def record(self, rows: AnsweredRows) -> None:
        """Keep the rows of one request, or a sample of them."""
        number = len(rows.predictions)
        with self._lock:
            full = self._waiting > 0 and self._waiting + number > self._limits.queue_rows
            refused = full or self._stopping.is_set() or not self._started()
            if not refused:
                self._waiting += number
                self._queue.append(rows)
        if refused:
            self._count("dropped", number)
            self._overflow.begin(f"log.queue_rows is {self._limits.queue_rows}")
        elif not self._wake.is_set():
            self._wake.set()

    def close(self, timeout_s: float = 10.0) -> None:
        """Spool what is queued and send it once; whatever then waits is sent by the next process."""
        if self._process != os.getpid():
            return
        deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._queue:
            self._count("dropped", self._waiting)
        atexit.unregister(self.close)

    def _started(self) -> bool:
        if self._threads:
            return True
        threads = tuple(
            threading.Thread(target=work, name=f"prediction-log-{work.__name__}", daemon=True)
            for work in (self._keep_shipping, self._keep_spooling)
        )
        try:
            for thread in threads:
                thread.start()
        except RuntimeError:  # the system has no thread left for us
            return False
        self._threads, self._process = threads, os.getpid()
        atexit.register(self.close)
        return True

    def _keep_spooling(self) -> None:
        while not self._stopping.is_set():
            if not self._wake.wait(_SETTLE_S):
                self._overflow.end()
            self._wake.clear()
            self._spool_queue()
            if not self._down.under_way:  # else it grows, for a file a second would be too many
                self._spool.rest(_SETTLE_S)
            self._stopping.wait(_GATHER_S)
        self._spool_queue()
        self._spool.rest()
        self._spooled.set()

    def _spool_queue(self) -> None:
        batch, rows = bytearray(), 0
        for line in self._encoded():
            batch += line.data
            rows += line.rows
            if len(batch) >= _BATCH_BYTES:
                self._append(bytes(batch), rows)
                batch, rows = bytearray(), 0
        if rows:
            self._append(bytes(batch), rows)

    def _encoded(self) -> Iterator[Line]:
        while self._queue:
            answered = self._queue.popleft()
            number = len(answered.predictions)
            done = 0
            try:
                for line in encode(answered, self._limits.rate):
                    done += line.rows
                    yield line
            except (TypeError, ValueError):
                logger.exception("prediction log: rows that are no JSON are dropped")
                self._count("dropped", number - done)
            with self._lock:
                self._waiting -= number

    def _append(self, data: bytes, rows: int) -> None:
        try:
            self._spool.append(data)
        except OSError as error:
            self._disk.begin(error.strerror or error)
            self._count("dropped", rows)
        else:
            self._disk.end()
            self._count("spooled", rows)

    def _keep_shipping(self) -> None:
        pause = _RETRY_S
        while not self._spooled.wait(pause):
            works = self._ship()
            pause = _RETRY_S if works else min(2 * pause, _LONGEST_RETRY_S)
        self._ship(timeout_s=2.0)
        self._sink.close()

    def _ship(self, timeout_s: float = 0.0) -> bool:
        try:
            ship(self._folder, self._sink, self._count, timeout_s)
        except Exception as error:  # noqa: BLE001 — whatever it is, the rows wait and the thread lives
            why = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            self._down.begin(redacted(" ".join(why.split())) or type(error).__name__)
            return False
        self._down.end()
        return True
