"""The environment of this process and of those that it starts: variables, cores and threads."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from lightmodel.config.base import Section
from lightmodel.config.load import FILE_SUFFIX, PREFIX, Config

PROJECT = Path(__file__).parents[2]
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_QUOTA_V2 = Path("/sys/fs/cgroup/cpu.max")
_QUOTA_V1 = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")


def for_child(settings: Mapping[str, Section]) -> dict[str, str]:
    """Return the environment of a process of this project that is to see these sections as they are.

    Secrets reach it this way only. It finds the package wherever it is started.

    Args:
        settings: name → section; those that are not named are left to the environment as it is.
    """
    inherited_path = os.environ.get("PYTHONPATH")
    paths = os.pathsep.join([str(PROJECT), *([inherited_path] if inherited_path else [])])
    variables = {
        f"{PREFIX}{name}__{key}".upper(): _text(value)
        for name, section in settings.items()
        for key, value in section
        if value is not None
    }
    files = {f"{name}{FILE_SUFFIX}" for name in variables}
    inherited = {name: value for name, value in os.environ.items() if name not in files}
    return {**inherited, "PYTHONPATH": paths, **variables}


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, tuple) else str(value)


def preset(variables: Mapping[str, str]) -> None:
    """Set variables that a library reads when it is imported, where the user has set none."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def export(variables: Mapping[str, str]) -> None:
    """Set variables that a library reads from the environment only."""
    os.environ.update(variables)


def limit_native_threads(count: int) -> None:
    """Let libraries that this process loads from now on compute on `count` threads."""
    export(dict.fromkeys(_THREAD_VARIABLES, str(count)))


def threads_of(config: Config) -> int:
    """Return the threads for fitting: as many as this process may run on, unless set."""
    return config.train.threads or cores()


def workers_of(config: Config) -> int:
    """Return the number of serving processes: one for each core, at most four, unless set."""
    return config.serve.workers or min(cores(), 4)


def scoring_threads_of(config: Config) -> int:
    """Return the threads that score in one worker: all workers together use each core once."""
    return config.serve.scoring_threads or max(1, cores() // workers_of(config))


def cores() -> int:
    """Return the number of cores that this process may use: its affinity, and its container's share."""
    affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(allowed, _container_share(allowed)))


def _container_share(default: int) -> int:
    """Return what `docker run --cpus` grants, in whole cores; `default` where nothing is set."""
    try:
        if _QUOTA_V2.exists():
            quota, period = _QUOTA_V2.read_text(encoding="ascii").split()
        else:
            quota = _QUOTA_V1.read_text(encoding="ascii")
            period = _QUOTA_V1.with_name("cpu.cfs_period_us").read_text(encoding="ascii")
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
        return default
    return round(share) if share > 0 else default
