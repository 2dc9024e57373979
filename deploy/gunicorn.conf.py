"""gunicorn's settings, from the section `serve`. Models are loaded in the workers, after the fork."""

import os
import shutil
import tempfile
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from lightmodel.config import load
from lightmodel.wiring.stores import workers_of

_config = load().config
_serve = _config.serve
_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Closes idle connections as soon as it is told to stop; gunicorn's own would wait for them."""

    def murder_keepalived(self) -> None:
        """Close connections that were idle for long enough, or all of them."""
        if not self.alive:
            for connection in self.keepalived_conns:
                connection.timeout = 0.0
        super().murder_keepalived()


bind = f"{_serve.host}:{_serve.port}"
workers = workers_of(_config)
threads = _serve.threads
worker_class = Worker
preload_app = False
timeout = 60  # of a worker that shows no sign of life; requests may take longer
graceful_timeout = _serve.graceful_seconds
keepalive = _serve.keepalive_seconds
max_requests = _serve.max_requests
max_requests_jitter = _serve.max_requests // 10
worker_tmp_dir = _memory  # a slow disk would look like a dead worker
accesslog = None  # the service writes its own lines
control_socket_disable = True  # it would lie in the home folder, which containers may not have

# Before any worker imports prometheus_client; gunicorn reads this file again on HUP.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="light-model-", dir=_memory)
_shared = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])


def post_worker_init(worker: ThreadWorker) -> None:
    """Load the model in the worker, and look for newer ones."""
    from lightmodel.web import log_lines

    log_lines.set_up(_serve.log_format)
    worker.wsgi.extensions["holder"].watch()


def child_exit(_: Arbiter, worker: ThreadWorker) -> None:
    """Leave a dead worker's gauges out of the sums; its counters stay."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(_: Arbiter) -> None:
    """Remove what the workers shared."""
    shutil.rmtree(_shared, ignore_errors=True)
