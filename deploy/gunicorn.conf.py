"""gunicorn's settings, from the section `serve`. Models are loaded in the workers, after the fork."""

import gc
import logging
import os
import shutil
import tempfile
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from lightmodel.config import load
from lightmodel.config.threads import workers_of

logger = logging.getLogger(__name__)
_config = load().config
_serve = _config.serve
_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_host = f"[{_serve.host}]" if ":" in _serve.host else _serve.host  # IPv6
bind = f"{_host}:{_serve.port}"
workers = workers_of(_config)
worker_class = "lightmodel.service.worker.Worker"
preload_app = False
timeout = 60  # of a worker without heartbeat; requests may take longer
graceful_timeout = _serve.graceful_timeout_s
max_requests = _serve.max_requests
max_requests_jitter = _serve.max_requests // 10
worker_tmp_dir = _memory  # on a slow disk, heartbeats would come too late
accesslog = None  # the service writes its own lines
control_socket_disable = True  # it would lie in the home folder, which containers may not have


_FOLDERS = "light-model-workers-"  # and a master's number: the name of its folder


def _shared_folder() -> Path:
    """Return this master's folder in PROMETHEUS_MULTIPROC_DIR, or else in memory."""
    wanted, own = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")), f"{_FOLDERS}{os.getpid()}-"
    if wanted.name.startswith(own):  # gunicorn reads this file again on HUP
        return wanted
    if wanted.name.startswith(_FOLDERS):  # of the master that this one replaces after USR2
        wanted = wanted.parent
    if wanted.name:
        try:
            wanted.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=own, dir=wanted))
        except OSError as error:
            reason = error.strerror
        logger.warning("PROMETHEUS_MULTIPROC_DIR=%s is not used: %s", wanted, reason)
    return Path(tempfile.mkdtemp(prefix=own, dir=_memory))


# Before any worker imports prometheus_client.
_shared = _shared_folder()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_shared)


def when_ready(_: Arbiter) -> None:
    """Import before the first fork what all workers need: they share its memory."""
    import lightmodel.service.worker  # noqa: F401 — it imports the rest

    gc.collect()
    gc.freeze()  # collections in the workers would write to the shared pages


def post_worker_init(worker: Worker) -> None:
    """Load the model in the worker, and look for newer ones."""
    from lightmodel.service import memory
    from lightmodel.service.observability import configure_logging

    configure_logging(_serve.log_format)
    memory.configure()
    worker.wsgi.extensions["model_manager"].watch()
    memory.release_soon()  # what loading the model needs


def on_reload(arbiter: Arbiter) -> None:
    """Note which workers are replaced: when they stop, the service does not."""
    from lightmodel.service.worker import REPLACED

    part = _shared / f"{REPLACED}.part"
    part.write_text(str(arbiter.worker_age), encoding="ascii")
    part.replace(_shared / REPLACED)


def child_exit(_: Arbiter, worker: Worker) -> None:
    """Leave out a dead worker's gauges and connections; its counters stay."""
    from prometheus_client import multiprocess

    from lightmodel.service.connection_counts import forget

    multiprocess.mark_process_dead(worker.pid)
    forget(str(_shared), worker.pid)


def on_exit(_: Arbiter) -> None:
    """Remove the metrics that the workers shared."""
    shutil.rmtree(_shared, ignore_errors=True)
