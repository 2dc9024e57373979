"""gunicorn's worker: an event loop that serves HTTP until it is told to stop."""

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import uvloop
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker as BaseWorker

from lightmodel.config import ServeSection
from lightmodel.config.environment import workers_folder
from lightmodel.service.asgi import EventLoopApp
from lightmodel.service.connection_counts import ConnectionCounts
from lightmodel.service.http_server import HttpServer

REPLACED = "replaced"  # the file with the age of the youngest worker that SIGHUP has replaced
_TICK_S = 1.0
_STOPPING_TICK_S = 0.05
_SWITCH_INTERVAL_S = 0.001  # after which the event loop gets its turn beside threads that compute


class Worker(BaseWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves the Flask application of gunicorn's settings, until SIGTERM or max_requests."""

    def init_signals(self) -> None:
        """Reset all signals; `run` handles them on the event loop."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGABRT, self.handle_abort)

    def run(self) -> None:
        """Serve until the worker is told to stop."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())
        self._close_log()

    async def _serve(self) -> None:
        serve: ServeSection = self.wsgi.extensions["serve"]
        tls = ssl_context(self.cfg) if self.cfg.is_ssl else None
        counts = ConnectionCounts(workers_folder())
        app, direct = EventLoopApp(self.wsgi, serve), self.wsgi.extensions["json_requests"]
        server = HttpServer(app, direct, serve, counts, tls)
        stop = self._handle_signals()
        server.start(self.sockets)
        while (
            not stop.is_set() and self.ppid == os.getppid() and server.requests < self.max_requests
        ):
            self._tick(server)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _TICK_S)
        others_serve = self._is_replaced() or not stop.is_set()
        self.wsgi.config["STOPPING"] = not others_serve
        server.stop(accept_waiting=not others_serve)
        ends = time.monotonic() + self.cfg.graceful_timeout
        while server.is_busy and time.monotonic() < ends:
            self._tick(server)
            await asyncio.sleep(_STOPPING_TICK_S)

    def _tick(self, server: HttpServer) -> None:
        self.notify()  # gunicorn replaces a worker that does not
        server.tick()

    def _handle_signals(self) -> asyncio.Event:
        """Return an event that is set by SIGTERM; SIGINT and SIGQUIT end the process at once."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self._quit)
        loop.add_signal_handler(signal.SIGUSR1, self.log.reopen_files)
        loop.add_signal_handler(signal.SIGWINCH, int)
        return stop

    def _is_replaced(self) -> bool:
        """Return whether SIGHUP has started the successor of this worker, so that the service goes on."""
        file = Path(workers_folder()) / REPLACED
        return file.exists() and self.age <= int(file.read_text(encoding="ascii") or 0)

    def _quit(self) -> None:
        """End at once, whatever is under way; answered rows are logged."""
        self._close_log()
        os._exit(0)

    def _close_log(self) -> None:
        self.wsgi.extensions["prediction_log"].close()
