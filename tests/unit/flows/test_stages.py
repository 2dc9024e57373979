"""Stages run as processes: what they wrote, how they ended, and what is left of them."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lightmodel.flows.stages import (
    VARIABLE,
    Job,
    StageFailed,
    forget_run,
    held_run,
    last_error,
    read_stage,
    record_exit,
    recorded_exit,
    run_stage,
    runs_not_held,
)
from tests.fakes.flows import job_of
from tests.fakes.waiting import wait_until

RUN = "6f3c1a52-0000-4000-8000-000000000001"


def test_a_job_comes_through_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of(tmp_path, "pass")
    monkeypatch.setenv(VARIABLE, job.to_json())
    assert Job.from_environment().to_json() == job.to_json()


def test_lines_are_passed_on_as_they_are_written(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "import sys; print(sys.argv[1:]); print(); print('é', file=sys.stderr)"
    run_stage(job_of(tmp_path, script), "train", ["run", "train"], lines.append)
    assert sorted(lines) == ["['run', 'train']", "é"]


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("print('error: no table'); print('hint: name one'); sys.exit(65)", 65, "no table"),
        ("print('away'); sys.exit(75)", 75, "away"),
        ("sys.exit(2)", 2, "it wrote no message"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "it wrote no message"),
    ],
)
def test_a_failure_has_code_and_error_of_the_stage(
    tmp_path: Path, script: str, code: int, message: str
) -> None:
    job = job_of(tmp_path, f"import os, signal, sys\n{script}")
    with pytest.raises(StageFailed) as failed:
        run_stage(job, "train", [], lambda _line: None)
    assert failed.value.code == code
    assert str(failed.value) == f"train: {message} (exit code {code})"


def test_an_error_of_several_lines_is_whole() -> None:
    lines = [
        "error: 1 mistake:",
        "read shop.csv",
        "error: 2 mistakes:",
        "  - a",
        "  - b",
        "hint: c",
    ]
    assert last_error(lines) == "2 mistakes: - a - b"
    assert last_error([]) == "it wrote no message"


def test_what_a_command_prints_is_returned_without_its_log(tmp_path: Path) -> None:
    script = "import sys; print('[]'); print('a log', file=sys.stderr)"
    assert read_stage(job_of(tmp_path, script), ["flows"]) == "[]\n"
    with pytest.raises(StageFailed, match="exit code 66"):
        read_stage(job_of(tmp_path, "raise SystemExit(66)"), ["flows"])


def test_settings_of_the_job_reach_the_stage_and_it_runs_in_the_project(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "import os; print(os.environ['MINE'], os.getcwd())"
    run_stage(job_of(tmp_path, script, MINE="yes"), "train", [], lines.append)
    assert lines == [f"yes {tmp_path.resolve()}"]


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_an_interrupted_stage_leaves_no_process(tmp_path: Path) -> None:
    """Neither the stage, though it ignores Ctrl-C, nor a process that it has started."""
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage(job_of(tmp_path, STUBBORN), "train", [], interrupt)
    wait_until(lambda: not psutil.pid_exists(pids[0]), "the end of the stage's child")


PARENT = """
import sys
from pathlib import Path
from lightmodel.flows.stages import run_stage
from tests.fakes.flows import job_of
run_stage(job_of(Path(sys.argv[1]), sys.argv[2]), "train", [], lambda line: print(line, flush=True))
"""


def test_a_stage_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    parent = psutil.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), script],
        stdout=-1,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    stage = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not _runs(stage), "the end of the stage")


def _runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def test_a_run_is_lost_when_nobody_holds_its_file(tmp_path: Path) -> None:
    assert runs_not_held(tmp_path / "none") == []
    with held_run(tmp_path, RUN):
        with held_run(tmp_path, RUN):
            assert runs_not_held(tmp_path) == []
        assert runs_not_held(tmp_path) == []
    assert runs_not_held(tmp_path) == [RUN]
    forget_run(tmp_path, RUN)
    forget_run(tmp_path, RUN)
    assert runs_not_held(tmp_path) == []


def test_the_exit_code_of_a_run_is_kept(tmp_path: Path) -> None:
    with held_run(tmp_path, RUN):
        assert recorded_exit(tmp_path, RUN) == 130
        record_exit(tmp_path, RUN, 65)
    assert recorded_exit(tmp_path, RUN) == 65
    assert runs_not_held(tmp_path) == [RUN]
