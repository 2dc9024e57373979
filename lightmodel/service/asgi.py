"""The ASGI application: Flask's routes in threads; what is short has threads of its own."""

from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from lightmodel.config import ServeSection
from lightmodel.service.wsgi_threads import Receive, Scope, Send, WsgiThreads

IS_SHORT = "is_short"  # in a request's state: it has arrived, and is small
_SHORT_PATHS = {"/health", "/ready", "/ping", "/metrics"}
_SHORT_THREADS = 4


class EventLoopApp:
    """Answers every request of one worker by Flask; probes do not wait for uploads."""

    def __init__(self, app: Flask, serve: ServeSection) -> None:
        self._threads = ThreadPoolExecutor(serve.threads, "request")
        self._short_threads = ThreadPoolExecutor(_SHORT_THREADS, "short")
        self._flask = WsgiThreads(app.wsgi_app, serve.read_timeout_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_short = scope["path"] in _SHORT_PATHS or IS_SHORT in scope["state"]
        threads = self._short_threads if is_short else self._threads
        await self._flask.answer(scope, receive, send, threads)
