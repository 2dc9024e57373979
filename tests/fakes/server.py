"""The server as it runs: gunicorn in a process of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

from benchmarks.ports import free_port
from tests.fakes.project import ROOT, Project
from tests.fakes.waiting import running, untraced, wait_until


def serving(project: Project, **environ: str) -> AbstractContextManager[str]:
    """Start `python app.py` in the project's folder, yield its address, and stop it at the end.

    It has one worker, unless the test asks for more: each takes seconds to import LightGBM.
    """
    return _serving(project, os.environ, environ)


def serving_untraced(project: Project, **environ: str) -> AbstractContextManager[str]:
    """Do the same without measuring coverage in the server, which is twice as fast."""
    return _serving(project, untraced(), environ)


@contextmanager
def _serving(
    project: Project, inherited: Mapping[str, str], environ: Mapping[str, str]
) -> Iterator[str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {
        "LIGHTMODEL__SERVE__PORT": str(port),
        "LIGHTMODEL__SERVE__HOST": "127.0.0.1",
        "LIGHTMODEL__SERVE__WORKERS": "1",
    }
    with (
        log_of(project, address).open("w") as log,
        running(
            project.command(script="app.py"),
            cwd=project.folder,
            env={**inherited, "PYTHONPATH": str(ROOT), **settings, **environ},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            wait_until_it_answers(f"{address}/health", process)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def log_of(project: Project, address: str) -> Path:
    """Return the path of a server's log: several servers may run in one folder."""
    return project.folder / f"server-{address.rpartition(':')[2]}.log"


def master_of(address: str) -> psutil.Process:
    """Return gunicorn's master process that this test started on the address."""
    port = address.rpartition(":")[2]
    (master,) = [
        child
        for child in psutil.Process().children()
        if child.environ().get("LIGHTMODEL__SERVE__PORT") == port
    ]
    return master


def wait_until_it_answers(url: str, process: "subprocess.Popen[Any] | None" = None) -> None:
    """Return once the URL answers with 200; the process, if one is passed, must live until then."""

    def answers() -> bool:
        try:
            return requests.get(url, timeout=30).ok
        except requests.ConnectionError:
            return False

    wait_until(answers, f"an answer of {url}", process=process, seconds=180, interval_s=0.1)


def post(address: str, content: bytes, name: str = "rows.csv") -> requests.Response:
    return requests.post(f"{address}/predict", files={"file": (name, content)}, timeout=60)
