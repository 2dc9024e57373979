"""The measured servers: how each is started, requested and watched."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import psutil

from benchmarks.ports import free_port

ROOT = Path(__file__).parents[1]
_PATIENCE_S = 120


@dataclass(frozen=True)
class Server:
    """A server program that takes part in the comparison.

    Attributes:
        command: with {port} where the port goes.
        path: that rows are posted to.
        form: whether rows go as a multipart form, or as the body itself.
        folder: to start it in.
        kind: the media type of the rows.
        key: the API key to send.
    """

    name: str
    command: tuple[str, ...]
    path: str
    form: bool
    folder: Path
    kind: str = "text/csv"
    key: str = ""


@dataclass(frozen=True)
class Running:
    """A running server; `first_s` is the seconds from its start to its first answer."""

    server: Server
    port: int
    process: psutil.Process
    first_s: float

    def post(self, body: bytes) -> tuple[float, bytes, str]:
        """Send rows, and return the seconds, the body and the headers of the answer."""
        return exchange(self.port, request(self.server, body))

    def processes(self) -> list[psutil.Process]:
        """Return all its processes."""
        return [self.process, *self.process.children(recursive=True)]

    def memory(self) -> int:
        """Return the resident bytes of all its processes; shared pages count for each."""
        total = 0
        for process in self.processes():
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        return total


def request(server: Server, body: bytes) -> bytes:
    """Return the bytes of an HTTP request."""
    kind = server.kind
    if server.form:
        top = b'--b\r\nContent-Disposition: form-data; name="file"; filename="rows.csv"\r\n\r\n'
        body, kind = top + body + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"
    head = (
        f"POST {server.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"X-API-Key: {server.key}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def exchange(port: int, sent: bytes) -> tuple[float, bytes, str]:
    """Send a request on a new connection, and return seconds, body and headers of the answer."""
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S * 5) as connection:
        connection.sendall(sent)
        parts = []
        while piece := connection.recv(1 << 20):
            parts.append(piece)
    seconds = time.perf_counter() - started
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1]
    if status != b"200":
        raise RuntimeError(f"{status.decode()}: {body[:300].decode(errors='replace')}")
    return seconds, body, head.decode("latin-1")


@contextmanager
def running(server: Server, row: bytes) -> Iterator[Running]:
    """Start a server, and wait until it has answered a row."""
    port = free_port()
    command = [part.format(port=port) for part in server.command]
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=server.folder,
        env={
            **os.environ,
            "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT) if command[0] == sys.executable else "",
            "LIGHTMODEL__SERVE__PORT": str(port),
            "LIGHTMODEL__SERVE__HOST": "127.0.0.1",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield Running(
            server, port, psutil.Process(process.pid), _first_answer(server, port, row, started)
        )
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _first_answer(server: Server, port: int, row: bytes, started: float) -> float:
    sent = request(server, row)
    while time.perf_counter() - started < _PATIENCE_S:
        try:
            exchange(port, sent)
        except (OSError, RuntimeError, IndexError):
            time.sleep(0.005)
        else:
            return time.perf_counter() - started
    raise TimeoutError(f"{server.name} never answered")


@contextmanager
def watched(server: Running) -> Iterator[list[int]]:
    """Sample a server's memory in the background; the yielded list grows."""
    samples = [server.memory()]
    over = Event()

    def watch() -> None:
        while not over.wait(0.02):
            samples.append(server.memory())

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
