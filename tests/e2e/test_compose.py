"""`docker compose --profile app` and `--profile console`, as a user starts them."""

import os
import subprocess
from collections.abc import Iterator

import pytest
import requests

from benchmarks.ports import free_port
from tests.fakes.project import ROOT

pytestmark = pytest.mark.docker
PROJECT = ("docker", "compose", "--project-name", "lm-compose-tried", "--profile", "app")

ASK = """
from lightmodel.config import load
from lightmodel.console.session import client_of
print(client_of(load().config.console, "").schema().version)
"""


@pytest.fixture
def address(images: str) -> Iterator[str]:
    assert images  # so that compose finds all layers in the cache
    port = free_port()
    environ = {**os.environ, "SERVICE_PORT": str(port), "STORE_VOLUME": "lm-compose-tried-store"}

    def compose(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*PROJECT, *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )

    try:
        done = compose("up", "--build", "-d", "--wait", "--wait-timeout", "120")
        assert done.returncode == 0, done.stdout + done.stderr
        yield f"http://127.0.0.1:{port}"
    finally:
        compose("down", "-v")


def test_the_profile_app_answers_through_its_proxy(address: str) -> None:
    rows = requests.get(f"{address}/sample.csv", timeout=60).content
    answer = requests.post(f"{address}/predict", files={"file": ("rows.csv", rows)}, timeout=60)
    assert answer.ok
    assert len(answer.json()) == len(rows.splitlines()) - 1


def test_the_profile_console_shows_a_page_that_knows_the_service(images: str) -> None:
    assert images
    ports = {"SERVICE_PORT": str(free_port()), "CONSOLE_PORT": str(free_port())}
    environ = {**os.environ, **ports, "STORE_VOLUME": "lm-compose-console-store"}
    project = ("docker", "compose", "--project-name", "lm-compose-console", "--profile", "console")

    def compose(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*project, *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )

    try:
        done = compose("up", "--build", "-d", "--wait", "--wait-timeout", "180")
        assert done.returncode == 0, done.stdout + done.stderr
        address = f"http://127.0.0.1:{ports['CONSOLE_PORT']}"
        page = requests.get(address, timeout=60)
        assert page.ok
        assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
        # The page is drawn over a connection; what it asks, the console can ask.
        asked = compose("exec", "console", "python", "-c", ASK)
        assert asked.stdout.startswith("20"), asked.stdout + asked.stderr
        written = compose("exec", "console", "touch", "/app/config.toml")
        assert written.returncode != 0
    finally:
        compose("down", "-v")
