"""Functions that the tests let the workers of a cluster run."""

import os
import signal
import time
from pathlib import Path

from lightmodel.errors import DataError


class Unpicklable(Exception):
    """An error that cannot be made again from its arguments."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def add(first: int, second: int) -> int:
    return first + second


def fail(kind: str) -> None:
    if kind == "data":
        raise DataError("no rows", hint="add some")
    raise Unpicklable("cannot", "be sent")


def identity(value: object) -> tuple[int, int]:
    """Return the process, and which object it got."""
    time.sleep(0.2)  # or one worker would do all of it
    return os.getpid(), id(value)


def wait_for(go: Path, seen: Path) -> int:
    """Say which process this is in `seen`, and wait for the file `go`."""
    (seen / str(os.getpid())).touch()
    deadline = time.monotonic() + 300
    while not go.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
