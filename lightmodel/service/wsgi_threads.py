"""Runs the Flask application in threads, behind an event loop; request bodies are streamed to it."""

import asyncio
import io
import queue
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_MAX_WAITING_BYTES = 1 << 20  # received, but not yet read by the application
_SENT_BYTES = 256 << 10  # at once, so that a client that reads slowly is noticed


class BodyStream(io.RawIOBase):
    """The body of a request as a file: the event loop adds pieces, and a thread reads them.

    Reading raises TimeoutError if nothing arrives for `timeout_s`, and ConnectionError if the client
    has gone.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self._loop = loop
        self._timeout_s = timeout_s
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = asyncio.Event()
        self._added = self._taken = 0  # bytes; only the event loop changes one, a thread the other
        self._rest = memoryview(b"")
        self._is_complete = False

    async def fill(self, receive: Receive) -> None:
        """Add all pieces of the body, no faster than they are read."""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._pieces.put(None)
                return
            if piece := message.get("body", b""):
                self._added += len(piece)
                self._pieces.put(piece)
            more = message.get("more_body", False)
            while not self._has_room():
                self._room.clear()
                if not self._has_room():  # still, now that the thread sees a clear event
                    await self._room.wait()
        self._pieces.put(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes as soon as there are some; b"" at the end of the body."""
        if size < 0:
            return self.readall()
        if not self._rest:
            self._rest = memoryview(self._next_piece())
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 — any writable buffer
        """Fill the beginning of `buffer`, and return the number of bytes."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _next_piece(self) -> bytes:
        if self._is_complete:
            return b""
        try:
            piece = self._pieces.get(timeout=self._timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        if piece is None:
            self._pieces.put(None)  # for whoever reads again
            raise ConnectionError("the client has closed the connection")
        self._is_complete = not piece
        self._taken += len(piece)
        if not self._room.is_set() and self._has_room():
            self._loop.call_soon_threadsafe(self._room.set)
        return piece

    def _has_room(self) -> bool:
        return self._added - self._taken <= _MAX_WAITING_BYTES


class WsgiThreads:
    """Answers requests by a WSGI application in threads; `read_timeout_s` is that of `BodyStream`."""

    def __init__(self, app: "WSGIApplication", read_timeout_s: float) -> None:
        self._app = app
        self._read_timeout_s = read_timeout_s

    async def answer(self, scope: Scope, receive: Receive, send: Send, threads: Executor) -> None:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        stream = BodyStream(loop, self._read_timeout_s)
        filling = loop.create_task(stream.fill(receive))
        try:
            response = await loop.run_in_executor(
                threads, run_wsgi, self._app, environ_of(scope, stream)
            )
        finally:
            is_received = filling.done()
            filling.cancel()
        headers = response[1] if is_received else [*response[1], (b"connection", b"close")]
        await send({"type": "http.response.start", "status": response[0], "headers": headers})
        await send_body(send, response[2])


async def send_body(send: Send, body: bytes) -> None:
    """Send a body in pieces, each when the client has read most of those before."""
    for at in range(0, len(body), _SENT_BYTES):
        piece = body[at : at + _SENT_BYTES]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def run_wsgi(
    app: "WSGIApplication", environ: dict[str, Any]
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Call a WSGI application; return status, headers and body."""
    status, headers = 500, list[tuple[bytes, bytes]]()

    def start_response(line: str, fields: list[tuple[str, str]], _: Any = None) -> Any:  # noqa: ANN401 — PEP 3333
        nonlocal status
        status = int(line[:3])
        headers[:] = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields
        ]
        return None

    parts: Iterable[bytes] = app(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        if close := getattr(parts, "close", None):  # PEP 3333: if there is one
            close()
    return status, headers, body


def environ_of(scope: Scope, stream: io.IOBase) -> dict[str, Any]:
    """Return the WSGI environment of an ASGI request (PEP 3333)."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": stream,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if client:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    for name, value in scope["headers"]:
        if b"_" in name:
            continue  # it would look like the name with "-", which a proxy may have set
        key = _environ_name(name)
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def _environ_name(name: bytes) -> str:
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
