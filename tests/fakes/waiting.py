"""Waiting for an event, and processes that end with the test that started them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

LONGEST_S = 60.0


def wait_until(
    condition: Callable[[], object],
    event: str,
    *,
    process: "subprocess.Popen[Any] | None" = None,
    seconds: float = LONGEST_S,
    interval_s: float = 0.05,
) -> None:
    """Return once the condition is true: no test depends on how fast the machine is.

    Args:
        condition: asked every `interval_s` seconds.
        event: what is waited for, as the error names it.
        process: the one that must bring it about; when it ends, nothing is waited for any longer.
        seconds: how long to wait at most.

    Raises:
        AssertionError: the time is up, or the process has ended.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        ended = None if process is None else process.poll()
        assert ended is None, f"waiting for {event}: the process ended with exit code {ended}"
        assert time.monotonic() < deadline, f"waiting for {event}: not within {seconds:g} s"
        time.sleep(interval_s)


def untraced() -> dict[str, str]:
    """Return the environment for a program that runs none of this project's code: without coverage."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}


@contextmanager
def running(command: Sequence[str], **options: Any) -> "Iterator[subprocess.Popen[Any]]":
    """Start a process and yield it; at the end kill it if it still runs, and wait for it.

    The context manager of `Popen` would wait for ever for a process that a failed assertion left
    running. Options are those of `Popen`; with `start_new_session` the whole group is killed.
    """
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            if options.get("start_new_session"):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
