"""gunicorn's settings, from the section `serve`. Models are loaded in the workers, after the fork."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from lightmodel.config import load
from lightmodel.config.threads import workers_of

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

# Before any worker imports prometheus_client; gunicorn reads this file again on HUP.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="light-model-", dir=_memory)
_shared = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
_shared.mkdir(parents=True, exist_ok=True)


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
