"""The ASGI application: Flask's routes in threads; probes and what is short have threads of their own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from lightmodel.config import ServeSection
from lightmodel.service.wsgi_threads import Receive, Scope, Send, WsgiThreads

IS_SHORT = "is_short"  # in a request's state: it has arrived, and is small
_PROBES = {"/health", "/ready", "/ping"}
_PROBE_THREADS = 2
_SHORT_THREADS = 4


class EventLoopApp:
    """Answers every request of one worker by Flask; probes do not wait for uploads."""

    def __init__(self, app: Flask, serve: ServeSection) -> None:
        self._threads = ThreadPoolExecutor(serve.threads, "request")
        self._short_threads = ThreadPoolExecutor(_SHORT_THREADS, "short")
        self._probe_threads = ThreadPoolExecutor(_PROBE_THREADS, "probe")
        self._places = asyncio.Semaphore(
            serve.threads
        )  # also while an answer, held in memory, is read
        self._flask = WsgiThreads(app.wsgi_app, serve.read_timeout_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] in _PROBES:
            await self._flask.answer(scope, receive, send, self._probe_threads)
        elif scope["path"] == "/metrics" or IS_SHORT in scope["state"]:
            await self._flask.answer(scope, receive, send, self._short_threads)
        else:
            async with self._places:
                await self._flask.answer(scope, receive, send, self._threads)
