"""The ASGI application: Flask's routes in threads; probes have threads of their own."""

from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from lightmodel.config import ServeSection
from lightmodel.service.wsgi_threads import Receive, Scope, Send, WsgiThreads

_PROBES = {"/health", "/ready", "/ping"}
_PROBE_THREADS = 2


class EventLoopApp:
    """Answers every request of one worker by Flask; probes are answered however many uploads there are."""

    def __init__(self, app: Flask, serve: ServeSection) -> None:
        self._threads = ThreadPoolExecutor(serve.threads, "request")
        self._probe_threads = ThreadPoolExecutor(_PROBE_THREADS, "probe")
        self._flask = WsgiThreads(app.wsgi_app, serve.read_timeout_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        threads = self._probe_threads if scope["path"] in _PROBES else self._threads
        await self._flask.answer(scope, receive, send, threads)
