"""A process that logs answered requests until it is killed.

Arguments: the log's folder, a name for its requests, the most bytes that a file may have (0: any),
and the sink: "sqlite", or "server" for another SQLite file to which rows are shipped.
Each number of rows that was spooled, logged or dropped becomes a line on its standard output.
"""

import os
import resource
import signal
import sys
import time
from pathlib import Path

from lightmodel.config import LogSection
from lightmodel.predictions.log import PredictionLog
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import answered

ROWS = 7
LIMITED_ID = 2_000  # characters: so that what waits in memory is soon full


def main() -> None:
    folder, name, most, sink = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
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
    server = SqliteSink(folder / "server.sqlite") if sink == "server" else None
    log = PredictionLog(folder / "log.sqlite", LogSection(), say, server)
    number = 0
    ids = ["a" * (LIMITED_ID if most else 1)] * ROWS
    while True:
        log.record(answered(f"{name}-{number:06d}", ids, [0.5] * ROWS))
        number += 1
        os.write(2, b"%d\n" % number)
        time.sleep(0.0005)


def say(what: str, number: int) -> None:
    os.write(1, f"{what} {number}\n".encode())


if __name__ == "__main__":
    main()
