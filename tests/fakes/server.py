"""The server as it runs: gunicorn in a process of its own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from tests.fakes.project import ROOT, Project


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(project: Project, **environ: str) -> Iterator[str]:
    """Start `python app.py` in the project's folder; gives its address, and stops it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with log_of(project, address).open("w") as log:
        process = subprocess.Popen(
            project.command(script="app.py"),
            cwd=project.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "LIGHTMODEL__SERVE__PORT": str(port),
                "LIGHTMODEL__SERVE__HOST": "127.0.0.1",
                **environ,
            },
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(address, process)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def log_of(project: Project, address: str) -> Path:
    """Where the lines of a server go: several may run in one folder."""
    return project.folder / f"server-{address.rpartition(':')[2]}.log"


def master_of(address: str) -> psutil.Process:
    """The process of gunicorn that this test's process has started on an address."""
    port = address.rpartition(":")[2]
    (found,) = [
        child
        for child in psutil.Process().children()
        if child.environ().get("LIGHTMODEL__SERVE__PORT") == port
    ]
    return found


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the server died; see server.log"
        try:
            requests.get(f"{address}/health", timeout=5).raise_for_status()
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the server never answered")


def post(address: str, content: bytes, name: str = "rows.csv") -> requests.Response:
    return requests.post(f"{address}/predict", files={"file": (name, content)}, timeout=60)
