"""MLflow's own server on a free port, and ports that answer otherwise."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from tests.fakes.server import free_port


@contextmanager
def mlflow_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Start `mlflow server` with its data in `folder`; gives its address, and kills it."""
    port = port or free_port()
    bin_folder = str(Path(sys.executable).parent)  # it calls uvicorn by PATH
    folder.mkdir(parents=True, exist_ok=True)
    options = (
        *("--host", "127.0.0.1", "--port", port, "--workers", 1),
        *("--backend-store-uri", f"sqlite:///{folder}/server.db"),
        *("--artifacts-destination", folder / "files"),
    )
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *(str(word) for word in options)],
            env={
                **os.environ,
                "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(3600):
        assert process.poll() is None, "mlflow server died; see server.log"
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    raise AssertionError("mlflow server never answered")


@contextmanager
def older_server(address: str, unknown: tuple[str, ...]) -> Iterator[str]:
    """A server before another one, that knows some of its addresses not yet."""

    class Older(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if any(word in self.path for word in unknown):
                self.send_error(404)
                return
            kept = {name: value for name, value in self.headers.items() if name != "Host"}
            answer = requests.request(
                self.command, f"{address}{self.path}", headers=kept, data=body, timeout=60
            )
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 — as the library calls them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Older)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent_server() -> Iterator[str]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
