"""The runtime API of AWS Lambda on loopback: it hands events to a function, and gets the answers."""

import contextlib
import json
import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

_LONGEST_S = 300.0
_ARN = "arn:aws:lambda:us-east-1:123456789012:function:light-model"
_PREFIX = "/2018-06-01/runtime"


class Answer(NamedTuple):
    """What a function made of an event: "response", "error" or "init/error", and its content."""

    kind: str
    content: Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a function waits for the next event for ever

    def handle_error(self, *_: object) -> None:
        """Log nothing of a function that was killed."""


class LambdaRuntime:
    """Hands out one event after the other."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._events: queue.Queue[Any] = queue.Queue()
        self._answers: queue.Queue[Answer] = queue.Queue()
        self._server = _Server((host, 0), _handler(self._events, self._answers))

    @property
    def address(self) -> str:
        """HOST:PORT, for AWS_LAMBDA_RUNTIME_API."""
        return f"{self._server.server_address[0]!s}:{self._server.server_port}"

    def invoke(self, event: object, seconds: float = _LONGEST_S) -> Answer:
        """Hand out an event, and return what the function answers."""
        self._events.put(event)
        return self._answers.get(timeout=seconds)

    @contextlib.contextmanager
    def serving(self) -> "Iterator[LambdaRuntime]":
        """Listen meanwhile."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def _handler(
    events: "queue.Queue[Any]", answers: "queue.Queue[Answer]"
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert self.path == f"{_PREFIX}/invocation/next"
            body = json.dumps(events.get()).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
            deadline = 1_000 * int(time.time() + _LONGEST_S)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", _ARN)
            # Without these two, Lambda's runtime client ended with a segmentation fault.
            self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            kind = self.path.removeprefix(f"{_PREFIX}/").removeprefix("invocation/request-1/")
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            answers.put(Answer(kind, json.loads(content)))

        def log_message(self, *_: object) -> None:
            pass

    return Handler
