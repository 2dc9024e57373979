"""Prefect's own server, and jobs for its flows."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.ports import free_port
from lightmodel.flows.stages import VARIABLE, Job
from tests.fakes.project import ROOT
from tests.fakes.waiting import running, untraced, wait_until

PYTHON = ROOT / "var" / "ci" / "prefect" / "bin" / "python"
SUPERVISOR = ROOT / "lightmodel" / "flows" / "supervisor.py"
SECONDS = 180.0  # to wait at most: a process of Prefect takes some to start


def job_of(folder: Path, script: str, **environment: str) -> Job:
    """Return a job whose commands run a script of Python instead of light-model."""
    return Job(
        command=(sys.executable, "-c", script),
        environment=environment,
        project=str(folder),
        folder=str(folder / "flows"),
        schedules={"chain": "0 4 * * *"},
        time_zone="Europe/Berlin",
        name="tried",
        port=1,
        retries=2,
        retry_delay_s=0.1,
    )


@dataclass(frozen=True)
class PrefectServer:
    """Prefect's server, asked by its API."""

    url: str
    environment: Mapping[str, str]

    def ask(self, path: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/{path}", json=body, timeout=SECONDS)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def newest(self) -> dict[str, Any]:
        """Return the run that was created last."""
        return dict(self.ask("flow_runs/filter", sort="EXPECTED_START_TIME_DESC", limit=1)[0])

    def tasks(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the runs of tasks of a flow's run, by name."""
        found = self.ask("task_runs/filter", flow_runs={"id": {"any_": [run_id]}})
        return {one["name"]: one for one in found}

    def artefacts(self, run_id: str) -> dict[str, dict[str, Any]]:
        wanted = {"flow_run_id": {"any_": [run_id]}}
        found = self.ask("artifacts/filter", artifacts=wanted)
        return {one["key"]: one for one in found}

    def state(self, run_id: str) -> str:
        answer = requests.get(f"{self.url}/flow_runs/{run_id}", timeout=SECONDS)
        return str(answer.json()["state"]["name"])

    @contextmanager
    def supervisor(self, job: Job, *words: str, **options: Any) -> Iterator[Any]:
        """Start the supervisor of flows, in a group of its own; kill the group at the end."""
        environment = {**os.environ, **self.environment, VARIABLE: job.to_json()}
        command = [str(PYTHON), "-I", str(SUPERVISOR), *words]
        with running(command, env=environment, start_new_session=True, **options) as process:
            yield process


@contextmanager
def prefect_server(folder: Path) -> Iterator[PrefectServer]:
    """Start Prefect's server on SQLite in a folder, and stop it at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = {
        **untraced(),
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [str(PYTHON), "-m", "prefect", "--no-prompt", "server", "start", "--no-ui"]
    options = {"env": environment, "start_new_session": True}
    with (
        (folder / "server.log").open("wb") as log,
        running([*command, "--port", str(port)], stdout=log, stderr=log, **options) as process,
    ):
        wait_until(lambda: _answers(url), "Prefect's server", process=process, seconds=SECONDS)
        yield PrefectServer(url, {**environment, "PREFECT_API_URL": url})


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=SECONDS).ok
    except requests.ConnectionError:
        return False
