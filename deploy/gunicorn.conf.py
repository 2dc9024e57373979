"""gunicorn's settings, from the section `serve`. Models are loaded in the workers, after the fork."""

import contextlib
import functools
import os
import selectors
import shutil
import socket
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import TConn, ThreadWorker

from lightmodel.config import load
from lightmodel.config.threads import workers_of

_config = load().config
_serve = _config.serve
_CLOSING_S = 1.0
_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker that does not wait for idle clients.

    gunicorn's own worker waits after SIGTERM for every idle connection, until graceful_timeout. This one
    serves for another second, so that a request on its way is answered, and then closes idle connections;
    requests under way are finished. gunicorn's own also waits in its main loop for clients to close a
    finished connection, and accepts none meanwhile; here the thread that answered waits.
    """

    _closing_at = 0.0

    def handle(self, conn: TConn) -> object:
        """Answer a request, and close the connection unless it is kept alive."""
        keep_alive = super().handle(conn)  # or an object that means: no request yet
        if not keep_alive or (keep_alive is not True and not self.alive):
            _close_gracefully(conn.sock)
        return keep_alive

    def finish_request(self, conn: TConn, done: Future[object]) -> None:
        """Keep a connection whose client was promised keep-alive, even during shutdown."""
        kept = not done.cancelled() and not done.exception() and done.result() is True
        if self.alive or not kept:
            super().finish_request(conn, done)
            return
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        answer = functools.partial(self.on_client_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, answer)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wake up in time to close idle connections."""
        super().wait_for_and_dispatch_events(timeout if self.alive else min(timeout, 0.1))

    def murder_keepalived(self) -> None:
        """Close connections that were idle for too long; during shutdown, all idle ones."""
        if not self.alive:
            self._closing_at = self._closing_at or time.monotonic() + _CLOSING_S
            for connection in (*self.keepalived_conns, *self.pending_conns):
                connection.timeout = min(connection.timeout, self._closing_at)
        super().murder_keepalived()

    def handle_quit(self, sig: int, frame: object) -> None:
        """Stop at once; gunicorn's own handler would take the pool's lock first."""
        super(ThreadWorker, self).handle_quit(sig, frame)


def _close_gracefully(connection: socket.socket) -> None:
    """Close the sending side, and read until the client has closed too (RFC 9112, 9.6)."""
    ends = time.monotonic() + _CLOSING_S
    with contextlib.suppress(OSError, ValueError):
        connection.shutdown(socket.SHUT_WR)
        while (left := ends - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(1 << 16):
                break
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


_host = f"[{_serve.host}]" if ":" in _serve.host else _serve.host  # IPv6
bind = f"{_host}:{_serve.port}"
workers = workers_of(_config)
threads = _serve.threads
worker_class = Worker
preload_app = False
timeout = 60  # of a worker without heartbeat; requests may take longer
graceful_timeout = _serve.graceful_timeout_s
keepalive = _serve.keepalive_s
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


def post_worker_init(worker: ThreadWorker) -> None:
    """Load the model in the worker, and look for newer ones."""
    from lightmodel.service import memory
    from lightmodel.service.observability import configure_logging

    configure_logging(_serve.log_format)
    memory.configure()
    worker.wsgi.extensions["model_manager"].watch()


def child_exit(_: Arbiter, worker: ThreadWorker) -> None:
    """Leave a dead worker's gauges out of the sums; its counters stay."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(_: Arbiter) -> None:
    """Remove the metrics that the workers shared."""
    shutil.rmtree(_shared, ignore_errors=True)
