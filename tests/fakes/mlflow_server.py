"""MLflow's own server on a free port, an older server in front of it, and a silent port."""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from benchmarks.ports import free_port
from tests.fakes.server import wait_until_it_answers
from tests.fakes.waiting import running, untraced


@contextmanager
def mlflow_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Start `mlflow server` with its data in `folder`, and yield its address."""
    port = port or free_port()
    bin_folder = str(Path(sys.executable).parent)  # it calls uvicorn by PATH
    folder.mkdir(parents=True, exist_ok=True)
    options = (
        *("--host", "127.0.0.1", "--port", port, "--workers", 1),
        *("--backend-store-uri", f"sqlite:///{folder}/server.db"),
        *("--artifacts-destination", folder / "files"),
    )
    with (
        (folder / "server.log").open("ab") as log,
        running(
            [sys.executable, "-m", "mlflow", "server", *(str(word) for word in options)],
            env={
                **untraced(),
                "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                # Eight more processes, which run jobs for language models.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        wait_until_it_answers(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def older_server(address: str, unknown: tuple[str, ...]) -> Iterator[str]:
    """Yield the address of a proxy that answers 404 to the routes an older server lacks."""

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
    """Yield the address of a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
