"""`docker compose --profile app`, `--profile console` and `--profile dask`, as a user starts them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from benchmarks.ports import free_port
from tests.fakes.project import ROOT

pytestmark = pytest.mark.docker
NAME = "lm-compose-tried"
ASK = """
from lightmodel.config import load
from lightmodel.console.session import client_of
print(client_of(load().config.console, "").schema().version)
"""
TRAIN_TWICE = """
python run.py --set train.folds=4 --set 'train.parameters={max_rounds = 20, num_leaves = 4}' &&
python train.py --force --set train.folds=4 --set 'train.parameters={max_rounds = 20, num_leaves = 4}' \
    --set dask.engine=local && sha256sum var/store/model/*/model.joblib
"""
Compose = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def composed(profile: str, **variables: str) -> Iterator[Compose]:
    """Start a profile, yield what runs further commands of compose, and remove all of it."""
    environ = {**os.environ, **variables, "STORE_VOLUME": f"{NAME}-store"}
    project = ("docker", "compose", "--project-name", NAME, "--profile", profile)

    def compose(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*project, *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )

    try:
        done = compose("up", "--build", "-d", "--wait", "--wait-timeout", "180")
        assert done.returncode == 0, done.stdout + done.stderr
        yield compose
    finally:
        compose("down", "-v")


def test_the_profile_app_answers_through_its_proxy(images: str) -> None:
    assert images  # so that compose finds all layers in the cache
    port = str(free_port())
    with composed("app", SERVICE_PORT=port):
        address = f"http://127.0.0.1:{port}"
        rows = requests.get(f"{address}/sample.csv", timeout=60).content
        answer = requests.post(f"{address}/predict", files={"file": ("rows.csv", rows)}, timeout=60)
        assert answer.ok
        assert len(answer.json()) == len(rows.splitlines()) - 1


def test_the_profile_console_shows_a_page_that_knows_the_service(images: str) -> None:
    assert images
    port = str(free_port())
    with composed("console", SERVICE_PORT=str(free_port()), CONSOLE_PORT=port) as compose:
        page = requests.get(f"http://127.0.0.1:{port}", timeout=60)
        assert page.ok
        assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
        # The page is drawn over a connection; what it asks the service, the container can ask.
        asked = compose("exec", "console", "python", "-c", ASK)
        assert asked.stdout.startswith("20"), asked.stdout + asked.stderr
        written = compose("exec", "--user", "0:0", "console", "touch", "/app/config.toml")
        assert "Read-only file system" in written.stderr


def test_the_profile_dask_trains_on_its_workers_with_the_bytes_of_one_machine(images: str) -> None:
    assert images
    with composed("dask", DASK_PORT=str(free_port())) as compose:
        quiet = ("-e", "LIGHTMODEL__TRACKING__URI=none", "-e", "LIGHTMODEL__GATE__BOOTSTRAP=20")
        ran = compose("run", "--rm", *quiet, "trainer", "sh", "-c", TRAIN_TWICE)
        hashes = [line.split()[0] for line in ran.stdout.splitlines() if "model.joblib" in line]
        assert len(hashes) == 2, ran.stdout + ran.stderr
        assert hashes[0] == hashes[1]
        assert "Run out-of-band function" in compose("logs", "worker").stdout
