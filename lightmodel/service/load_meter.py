"""How busy a worker is: whether it has time for what nobody waits for."""

import time
from pathlib import Path

_SCHEDULED = Path("/proc/self/schedstat")  # of the main thread, which is the event loop's; on Linux


class LoadMeter:
    """Measures the load of this process between two calls; `cores` are those that a worker may use."""

    def __init__(self, cores: float) -> None:
        self._cores = cores
        self._before = (0.0, 0.0, 0.0)

    def start(self) -> None:
        """Begin to measure."""
        self._before = _now()

    def load(self) -> float:
        """Return the load since `start`; 1 is all that the process can do.

        It is the share of the time in which the event loop has run or waited for a core, or the CPU time of
        all threads as a share of the worker's cores, whichever is more. Waiting shows what CPU time alone
        does not: that others take the cores.
        """
        elapsed, used, wanted = (now - then for now, then in zip(_now(), self._before, strict=True))
        return max(used / self._cores, wanted) / max(elapsed, 1e-9)


def _now() -> tuple[float, float, float]:
    """Return seconds of time, of CPU time, and for which the main thread has run or waited for a core."""
    return time.monotonic(), time.process_time(), _wanted()


def _wanted() -> float:
    try:
        run, waited, _ = _SCHEDULED.read_bytes().split()
        return (int(run) + int(waited)) / 1e9
    except (OSError, ValueError):
        return 0.0
