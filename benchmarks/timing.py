"""Time whole processes."""

import os
import platform
import subprocess
import sys
import time


def timed(command: list[str]) -> tuple[float, float]:
    """Run a process; return its wall seconds and its peak memory in MB, at least that of this process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed with {status}")
    scale = 1e6 if platform.system() == "Darwin" else 1e3
    return time.perf_counter() - started, usage.ru_maxrss / scale
