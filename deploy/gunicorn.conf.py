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
_LAST_MOMENT_S = 1.0
_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker that does not wait for clients that have nothing to say.

    gunicorn's own waits after SIGTERM for every idle connection, until graceful_timeout. This one goes on
    for a second, so that a request that was on its way is answered, and then closes what is idle;
    requests under way are finished. gunicorn's own also waits in its main loop for clients to close a
    connection that is over, and accepts nobody meanwhile; here the thread that answered does so.
    """

    _closing_at = 0.0

    def handle(self, conn: TConn) -> object:
        """Answer, and see the connection off if it does not go on."""
        goes_on = super().handle(conn)  # or an object that says: nothing has come yet
        if not goes_on or (goes_on is not True and not self.alive):
            _see_off(conn.sock)
        return goes_on

    def finish_request(self, conn: TConn, done: Future[object]) -> None:
        """Keep a connection whose client was just told so, even if the end is near."""
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
        """Close connections that were idle for long enough; at the end, all of them."""
        if not self.alive:
            self._closing_at = self._closing_at or time.monotonic() + _LAST_MOMENT_S
            for connection in (*self.keepalived_conns, *self.pending_conns):
                connection.timeout = min(connection.timeout, self._closing_at)
        super().murder_keepalived()

    def handle_quit(self, sig: int, frame: object) -> None:
        """Stop at once; gunicorn's own takes the pool's lock in a signal's handler first."""
        super(ThreadWorker, self).handle_quit(sig, frame)


def _see_off(connection: socket.socket) -> None:
    """Say that no more comes, and read until the other side has closed as well (RFC 9112, 9.6)."""
    ends = time.monotonic() + _LAST_MOMENT_S
    with contextlib.suppress(OSError, ValueError):
        connection.shutdown(socket.SHUT_WR)
        while (left := ends - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(1 << 16):
                break
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


bind = f"{_serve.host}:{_serve.port}"
workers = workers_of(_config)
threads = _serve.threads
worker_class = Worker
preload_app = False
timeout = 60  # of a worker that shows no sign of life; requests may take longer
graceful_timeout = _serve.graceful_timeout_s
keepalive = _serve.keepalive_s
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
    from lightmodel.service.observability import configure_logging

    configure_logging(_serve.log_format)
    worker.wsgi.extensions["model_manager"].watch()


def child_exit(_: Arbiter, worker: ThreadWorker) -> None:
    """Leave a dead worker's gauges out of the sums; its counters stay."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(_: Arbiter) -> None:
    """Remove what the workers shared."""
    shutil.rmtree(_shared, ignore_errors=True)
