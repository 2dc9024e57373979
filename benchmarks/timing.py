"""Time whole processes."""

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_POLL_S = 0.05


@dataclass(frozen=True)
class Cost:
    """What a process took, with the processes that it started.

    Attributes:
        seconds: of wall time.
        cpu_s: seconds of processors.
        peak_mb: the most memory, pages of files that it mapped included: the system can drop those.
        own_mb: the most memory without pages of files.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    own_mb: float


def timed(command: list[str]) -> tuple[float, float]:
    """Run a process; return its wall seconds and its peak memory in MB, at least that of this process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed with {status}")
    scale = 1e6 if platform.system() == "Darwin" else 1e3
    return time.perf_counter() - started, usage.ru_maxrss / scale


def cost_of(command: list[str], folder: Path) -> Cost:
    """Run a process in a folder, and return what it took; memory is looked at 20 times a second."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = own = 0.0
    while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        resident, private = _memory(process.pid)
        peak, own = max(peak, resident), max(own, private)
        time.sleep(_POLL_S)
    _, status, usage = ended
    if status:
        sys.exit(f"{command} failed with {status}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Cost(time.perf_counter() - started, cpu_s, peak / 1e6, own / 1e6)


def _memory(pid: int) -> tuple[float, float]:
    """Return the resident bytes of a process and its children, and how many are no pages of files."""
    resident = private = 0.0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            memory = process.memory_info()
            resident += memory.rss
            private += memory.rss - getattr(memory, "shared", 0)
    except psutil.Error:
        pass
    return resident, private
