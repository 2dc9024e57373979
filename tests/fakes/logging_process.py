"""A process that answers requests without end and logs them, for tests that kill it.

Arguments: the log's folder, a name for its requests, the most bytes that a file may have (0: any),
and the sink.
Each number of rows that was spooled or dropped becomes a line on its standard output.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lightmodel.predictions.base import Sink
from lightmodel.predictions.csv_file import CsvSink
from lightmodel.predictions.spooled import Limits, SpooledLog
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import answered

ROWS = 7
SINKS: dict[str, Callable[[Path], Sink]] = {"sqlite": SqliteSink, "csv": CsvSink}


def main() -> None:
    folder, name, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    if most:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        signal.signal(
            signal.SIGUSR1,
            lambda *_: resource.setrlimit(
                resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            ),
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log = SpooledLog(folder / "spool", SINKS[sys.argv[4]](folder), Limits(), say)
    number = 0
    while True:
        log.record(answered(f"{name}-{number:06d}", ["a"] * ROWS, [0.5] * ROWS))
        number += 1
        os.write(2, b"%d\n" % number)
        time.sleep(0.0005)


def say(what: str, number: int) -> None:
    os.write(1, f"{what} {number}\n".encode())


if __name__ == "__main__":
    main()
