"""The flows on Prefect's own server: states, retries, artefacts, and processes that are ended or killed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.fakes.flows import PYTHON, SECONDS, PrefectServer, job_of, prefect_server
from tests.fakes.project import ROOT, SETTINGS, Ran, shop_project
from tests.fakes.waiting import running, wait_until

pytestmark = pytest.mark.prefect

# Ends with the exit codes that `codes.json` has for a stage, one after the other, and then with 0.
STAGES = """
import json, os, pathlib, sys, time
stage = sys.argv[2] if sys.argv[1] == "run" else sys.argv[1]
if stage == "flows":
    print("[]")
    sys.exit()
with open("stages", "a") as stages:
    stages.write(stage + "\\n")
file = pathlib.Path("codes.json")
codes = json.loads(file.read_text())
code = codes.get(stage, []).pop(0) if codes.get(stage) else 0
file.write_text(json.dumps(codes))
if code == "sleep":
    pathlib.Path("pid").write_text(str(os.getpid()))
    time.sleep(600)
print(f"error: the end is {code}")
sys.exit(code)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with prefect_server(tmp_path_factory.mktemp("prefect")) as started:
        yield started


def run_with(server: PrefectServer, folder: Path, **codes: list[object]) -> tuple[int, list[str]]:
    """Run the chain with stages that end with these codes, and return its code and what it ran."""
    (folder / "codes.json").write_text(json.dumps(codes))
    with server.supervisor(job_of(folder, STAGES), "run", "chain", "{}") as process:
        code = process.wait(SECONDS)
    return code, (folder / "stages").read_text().split()


def test_only_exit_code_75_is_tried_again(server: PrefectServer, tmp_path: Path) -> None:
    code, stages = run_with(server, tmp_path, preprocess=[75, 75], train=[2])
    run = server.newest()
    assert stages == ["preprocess", "preprocess", "preprocess", "train"]
    assert code == 2
    assert run["state"]["name"] == "Failed"
    assert run["state"]["message"] == "train: the end is 2 (exit code 2)"
    wait_until(lambda: len(server.tasks(run["id"])) == 2, "the runs of tasks", seconds=SECONDS)
    tasks = server.tasks(run["id"])
    wait_until(
        lambda: server.tasks(run["id"])["train"]["state_name"] == "Failed",
        "the state of the task",
        seconds=SECONDS,
    )
    assert tasks["preprocess"]["run_count"] == 3
    assert list((tmp_path / "flows").glob("*.run")) == []


def test_other_parameters_are_tried_where_the_quality_gate_fails(
    server: PrefectServer, tmp_path: Path
) -> None:
    code, stages = run_with(server, tmp_path, testing=[10], retry=[10])
    assert stages == ["preprocess", "train", "testing", "retry"]
    assert code == 10
    assert server.newest()["state"]["name"] == "Failed"


def sleeping(folder: Path) -> int:
    """Wait until a stage sleeps, and return its process."""
    wait_until((folder / "pid").exists, "a stage that sleeps", seconds=SECONDS)
    wait_until((folder / "pid").read_text, "its process", seconds=SECONDS)
    return int((folder / "pid").read_text())


def has_ended(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


def test_sigterm_cancels_a_run_and_ends_its_stage(server: PrefectServer, tmp_path: Path) -> None:
    (tmp_path / "codes.json").write_text('{"train": ["sleep"]}')
    with server.supervisor(job_of(tmp_path, STAGES), "run", "chain", "{}") as process:
        stage = sleeping(tmp_path)
        process.terminate()
        assert process.wait(SECONDS) == 130
    assert has_ended(stage)
    assert server.newest()["state"]["name"] == "Cancelled"


def parent_of(pid: int) -> psutil.Process:
    parent = psutil.Process(pid).parent()
    assert parent
    return parent


def deployed(server: PrefectServer) -> str:
    """Start the chain as Prefect's page does, and return the run's id."""
    found = server.ask("deployments/filter", deployments={"name": {"any_": ["tried"]}})
    run = server.ask(f"deployments/{found[0]['id']}/create_flow_run", state={"type": "SCHEDULED"})
    return str(run["id"])


def test_a_killed_run_has_crashed_whoever_is_killed_with_it(
    server: PrefectServer, tmp_path: Path
) -> None:
    """Alone, as the runner that serves it sees; and with the runner, as whatever starts next sees."""
    (tmp_path / "codes.json").write_text('{"train": ["sleep", "sleep"]}')
    job = job_of(tmp_path, STAGES)
    with server.supervisor(job, "serve", stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "serving light-model-chain/tried\n"
        schedules = server.ask("deployments/filter")[0]["schedules"]
        assert schedules[0]["schedule"]["timezone"] == "Europe/Berlin"
        alone = deployed(server)
        stage = sleeping(tmp_path)
        parent_of(stage).kill()
        wait_until(lambda: server.state(alone) == "Crashed", "the crash", seconds=SECONDS)
        wait_until(lambda: has_ended(stage), "the end of its stage")
        (tmp_path / "pid").unlink()
        both = deployed(server)
        stage = sleeping(tmp_path)
        for one in (process, parent_of(stage)):
            one.kill()
    wait_until(lambda: has_ended(stage), "the end of its stage")
    assert server.state(both) == "Running"
    with server.supervisor(job, "run", "drift", "{}") as process:
        assert process.wait(SECONDS) == 0
    assert server.state(both) == "Crashed"


SLOW = "train.parameters={num_leaves=200,max_rounds=1000000,learning_rate=0.00001}"


def run_flow(folder: Path, server: PrefectServer, *words: str) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "lightmodel", "flows", "run", *words],
        cwd=folder,
        env={**server.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_the_flows_of_a_project(server: PrefectServer, tmp_path: Path) -> None:
    """A chain, tuning and drift end as their stages do, and show their results; a fit is cancelled."""
    settings = f'{SETTINGS}\n[flows]\npython = "{PYTHON}"\n'
    project = shop_project(tmp_path, settings)
    chain = run_flow(tmp_path, server, "chain", "--parameter", "reason=a try")
    assert chain.code == 0, chain.err
    run = server.newest()
    assert run["state"]["name"] == "Completed"
    assert run["parameters"]["reason"] == "a try"
    shown = server.artefacts(run["id"])
    version = project.models()[-1].name
    assert f"{version}: approved" in shown["report"]["data"]
    assert "AUC" in shown["metrics"]["data"]

    assert run_flow(tmp_path, server, "tune", "--parameter", "trials=2").code == 0
    assert "finalists" in server.artefacts(server.newest()["id"])
    assert run_flow(tmp_path, server, "drift").code == 13  # nobody has asked this model
    assert "no verdict" in server.newest()["state"]["message"]

    words = ["chain", "--parameter", f'settings=["{SLOW}"]']
    command = [sys.executable, "-m", "lightmodel", "flows", "run", *words]
    environment = {**server.environment, "PYTHONPATH": str(ROOT)}
    with running(command, cwd=tmp_path, env=environment, start_new_session=True) as process:
        stage = fitting(process.pid)
        run_id = server.newest()["id"]
        server.ask(f"flow_runs/{run_id}/set_state", state={"type": "CANCELLING"})
        wait_until(lambda: has_ended(stage), "the end of the fit")
        assert process.wait(SECONDS) == 130
    assert server.state(run_id) == "Cancelled"


def fitting(supervisor: int) -> int:
    """Wait until a fit is under way below a process, and return its process."""
    found: list[int] = []

    def find() -> bool:
        for one in psutil.Process(supervisor).children(recursive=True):
            with suppress(psutil.Error):
                if "train" in one.cmdline() and one.cpu_times().user > 2:
                    found.append(one.pid)
        return bool(found)

    wait_until(find, "a fit", seconds=SECONDS)
    return found[0]


def test_a_run_without_a_server_starts_one_and_leaves_none(
    server: PrefectServer, tmp_path: Path
) -> None:
    (tmp_path / "codes.json").write_text("{}")
    kept = {key: text for key, text in server.environment.items() if key != "PREFECT_API_URL"}
    alone = replace(server, environment=kept)
    with alone.supervisor(job_of(tmp_path, STAGES), "run", "drift", "{}") as process:
        wait_until((tmp_path / "stages").exists, "the stage", seconds=SECONDS)
        started = psutil.Process(process.pid).children(recursive=True)
        assert process.wait(SECONDS) == 0
    assert all(has_ended(one.pid) for one in started)
    assert server.newest()["state"]["name"] == "Completed"  # both use one database
