"""Numbers of threads and processes; a setting of 0 means that they depend on the machine."""

import os
from pathlib import Path

from lightmodel.config.load import Config

_QUOTA_V2 = Path("/sys/fs/cgroup/cpu.max")
_QUOTA_V1 = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")


def threads_of(config: Config) -> int:
    """Return the number of threads for fitting: one per core, unless set."""
    return config.train.threads or cores()


def workers_of(config: Config) -> int:
    """Return the number of serving processes: one per core, at most four, unless set."""
    return config.serve.workers or min(cores(), 4)


def scoring_threads_of(config: Config) -> int:
    """Return the number of scoring threads of a worker: the cores divided by the workers, unless set."""
    return config.serve.scoring_threads or max(1, cores() // workers_of(config))


def cores() -> int:
    """Return the number of cores that this process may use, by its affinity and its container's quota."""
    affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(allowed, _container_cores(allowed)))


def _container_cores(default: int) -> int:
    """Return the CPU quota of the container in whole cores; `default` if there is none."""
    try:
        if _QUOTA_V2.exists():
            quota, period = _QUOTA_V2.read_text(encoding="ascii").split()
        else:
            quota = _QUOTA_V1.read_text(encoding="ascii")
            period = _QUOTA_V1.with_name("cpu.cfs_period_us").read_text(encoding="ascii")
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or the quota "max"
        return default
    return round(share) if share > 0 else default
