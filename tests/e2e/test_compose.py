"""`docker compose --profile app`, as a user starts it."""

import os
import subprocess
from collections.abc import Iterator

import pytest
import requests

from benchmarks.ports import free_port
from tests.fakes.project import ROOT

pytestmark = pytest.mark.docker
PROJECT = ("docker", "compose", "--project-name", "lm-compose-tried", "--profile", "app")


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
