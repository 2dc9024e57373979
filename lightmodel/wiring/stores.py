"""The stores that a configuration names, and what signs them."""

import os

from lightmodel.artefacts.signing import Signer
from lightmodel.artefacts.store import Store
from lightmodel.config import Config


def splits_of(config: Config) -> Store:
    """Give the store of splits."""
    return Store(config.store.root / "preprocessed", "split", signer_of(config))


def models_of(config: Config) -> Store:
    """Give the store of models."""
    return Store(config.store.root / "model", "model", signer_of(config))


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
    """Count the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
