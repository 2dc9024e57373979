"""The stores that a configuration names, and what signs them."""

import os
from pathlib import Path

from lightmodel.config import Config
from lightmodel.store.signing import Signer
from lightmodel.store.versions import Store

_QUOTA_V2 = Path("/sys/fs/cgroup/cpu.max")
_QUOTA_V1 = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")


def splits_of(config: Config) -> Store:
    """Give the store of splits."""
    return Store(config.store.root / "preprocessed", "split", signer_of(config))


def models_of(config: Config) -> Store:
    """Give the store of models."""
    return Store(config.store.root / "model", "model", signer_of(config))


def retries_of(config: Config) -> Store:
    """Give the store of what retries tried."""
    return Store(config.store.root / "retries", "retry", signer_of(config))


def signer_of(config: Config) -> Signer:
    """Give what signs and checks; without a key it does neither."""
    key = config.store.signing_key
    return Signer(key.get_secret_value().encode() if key else None)


def threads_of(config: Config) -> int:
    """Give the threads for fitting: as many as this process may run on, unless set."""
    return config.train.threads or cores()


def workers_of(config: Config) -> int:
    """Give the number of serving processes: one for each core, at most four, unless set."""
    return config.serve.workers or min(cores(), 4)


def scoring_threads_of(config: Config) -> int:
    """Give the threads that score in one worker: all workers together use each core once."""
    return config.serve.scoring_threads or max(1, cores() // workers_of(config))


def cores() -> int:
    """Count the cores that this process may use: its affinity, and its container's share."""
    affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(allowed, _container_share(allowed)))


def _container_share(otherwise: int) -> int:
    """Give what `docker run --cpus` grants, in whole cores; `otherwise` where nothing is set."""
    try:
        if _QUOTA_V2.exists():
            quota, period = _QUOTA_V2.read_text(encoding="ascii").split()
        else:
            quota = _QUOTA_V1.read_text(encoding="ascii")
            period = _QUOTA_V1.with_name("cpu.cfs_period_us").read_text(encoding="ascii")
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
        return otherwise
    return round(share) if share > 0 else otherwise
