"""The server of Prefect that a supervisor talks to: a configured one, or one of its own."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from lightmodel.flows.stages import TRY_AGAIN, Job, end, launcher

_START_S = 120.0
_POLL_S = 0.2


class Stopped(Exception):
    """Nothing can be done; the message and the hint say why."""

    def __init__(self, code: int, message: str, hint: str) -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.lines = f"error: {message}\nhint: {hint}"


@contextmanager
def running_server(job: Job, *, serving: bool) -> Iterator[None]:
    """Check that the configured server answers, or start one, on SQLite, that ends with this process."""
    if url := PREFECT_API_URL.value():
        if error := asyncio.run(_unreachable()):
            raise Stopped(
                TRY_AGAIN,
                f"Prefect's server at {url} does not answer: {error}",
                "start it with `prefect server start`, or unset PREFECT_API_URL to do without one",
            )
        yield
        return
    port = job.port if serving and _is_free(job.port) else _free_port()
    options = [] if serving else ["--no-scheduler", "--no-late-runs"]
    url = f"http://127.0.0.1:{port}/api"
    with _started_server(job, port, options), temporary_settings({PREFECT_API_URL: url}):
        os.environ["PREFECT_API_URL"] = url  # for the processes of the runs
        _await_server(url)
        if serving:
            sys.stderr.write(f"Prefect's page is at http://127.0.0.1:{port}\n")
        yield


async def _unreachable() -> str:
    """Return why the configured server does not answer; "" if it does."""
    async with get_client() as client:
        error = await client.api_healthcheck()
    return f"{type(error).__name__}: {error}" if error else ""


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return one.connect_ex(("127.0.0.1", port)) != 0


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def _started_server(job: Job, port: int, options: list[str]) -> Iterator[None]:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "server", "start", *options]
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 — Prefect's own server
            launcher([*command, "--host", "127.0.0.1", "--port", str(port)]),
            env={
                **os.environ,
                "PREFECT_UI_API_URL": f"http://127.0.0.1:{port}/api",
                "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        yield
    finally:
        end(process)


def _await_server(url: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(_POLL_S)
    raise Stopped(
        TRY_AGAIN,
        f"Prefect's own server did not answer within {_START_S:g} s",
        "see server.log in the folder of the flows, var/flows",
    )
