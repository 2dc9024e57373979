"""A web server on loopback that misbehaves on request, over HTTP and, as a proxy, over HTTPS."""

import contextlib
import os
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

LONGEST_S = 20.0


@dataclass(frozen=True)
class Reply:
    """A response of the server.

    Attributes:
        announce: "length", "chunked" or "nothing".
        cut_at: close the connection after so many bytes of the body.
        stall_at: fall silent after so many bytes of the body.
        ranges: whether Range and If-Range are honoured.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    announce: str = "length"
    cut_at: int | None = None
    stall_at: int | None = None
    ranges: bool = True


@dataclass(frozen=True)
class Asked:
    """A received request."""

    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


def csv_reply(body: bytes, *, etag: str = "", modified: str = "", name: str = "table.csv") -> Reply:
    """Return a reply as a well-behaved server sends a file."""
    headers = {"Content-Type": "text/csv", "Content-Disposition": f'attachment; filename="{name}"'}
    marks = {"ETag": etag, "Last-Modified": modified}
    return Reply(body, headers=headers | {name: mark for name, mark in marks.items() if mark})


class Web:
    """The server; `answer` makes each reply, and `asked` records each request."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.web = self
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Web":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server, even in the middle of an answer; a second call does nothing."""
        if not self.over.is_set():
            self.over.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(LONGEST_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    web: Web

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close their connections early."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LONGEST_S
    disable_nagle_algorithm = True  # or each reply waits 40 ms for an acknowledgement
    server: _Server

    def do_CONNECT(self) -> None:
        """Pretend to be every host: end the TLS connection here."""
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = _tls().wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        """Answer with the test's reply."""
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        asked = Asked(self.headers.get("Host", ""), parts.path, query, dict(self.headers))
        self.server.web.asked.append(asked)
        self._send(asked, self.server.web.answer(asked))

    def _send(self, asked: Asked, reply: Reply) -> None:
        status, headers, body = _as_asked(asked, reply)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if reply.announce == "length":
            self.send_header("Content-Length", str(len(body)))
        elif reply.announce == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        self.close_connection = reply.announce != "length"
        self.end_headers()
        self._send_body(reply, body)

    def _send_body(self, reply: Reply, body: bytes) -> None:
        if reply.stall_at is not None:
            self._write(reply, body[: reply.stall_at])
            self.server.web.over.wait(LONGEST_S)
            self.close_connection = True
        elif reply.cut_at is not None:
            self._write(reply, body[: reply.cut_at])
            self.close_connection = True
        else:
            self._write(reply, body)
            if reply.announce == "chunked":
                self.wfile.write(b"0\r\n\r\n")

    def _write(self, reply: Reply, body: bytes) -> None:
        for start in range(0, len(body), 1 << 15):
            block = body[start : start + (1 << 15)]
            if reply.announce == "chunked":
                block = b"%x\r\n%b\r\n" % (len(block), block)
            self.wfile.write(block)
        self.wfile.flush()

    def finish(self) -> None:
        """Close the TLS connection that do_CONNECT opened."""
        with contextlib.suppress(OSError):
            super().finish()
        with contextlib.suppress(OSError):
            self.connection.close()

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


def _as_asked(asked: Asked, reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """Apply the request's preconditions and range to a reply (RFC 9110)."""
    headers, marks = (
        dict(reply.headers),
        (reply.headers.get("ETag"), reply.headers.get("Last-Modified")),
    )
    if reply.status != 200:
        return reply.status, headers, reply.body
    known = asked.headers.get("If-None-Match"), asked.headers.get("If-Modified-Since")
    if any(known) and (known[0] == marks[0] if known[0] else known[1] == marks[1]):
        return 304, headers, b""
    span, condition = asked.headers.get("Range", ""), asked.headers.get("If-Range")
    if not (span and reply.ranges) or (condition is not None and condition not in marks):
        return 200, headers, reply.body
    start, size = int(span.removeprefix("bytes=").rstrip("-")), len(reply.body)
    if start >= size:
        return 416, headers | {"Content-Range": f"bytes */{size}"}, b""
    return 206, headers | {"Content-Range": f"bytes {start}-{size - 1}/{size}"}, reply.body[start:]


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(
        "*.google.com", "*.usercontent.google.com", "data.example"
    ).configure_cert(context)
    return context


def stand_in_for_https(web: Web, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Route every https:// address to `web`, as a company's proxy would."""
    certificate = folder / "authority.pem"
    _authority().cert_pem.write_to_path(str(certificate))
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HTTPS_PROXY", web.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))


def one_after_another(*replies: Reply) -> Callable[[Asked], Reply]:
    """Return each reply once, in order, and then the last one for ever."""
    remaining = list(replies)
    return lambda _: remaining.pop(0) if len(remaining) > 1 else remaining[0]


@contextlib.contextmanager
def web_with(*replies: Reply) -> Iterator[Web]:
    """Run a server that gives these replies, whatever the path."""
    with Web(one_after_another(*replies)) as web:
        yield web
