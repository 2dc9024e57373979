"""Tasks in parallel worker processes: killed at their time limit, gone with their parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lightmodel.search.parallel import Failure, run_parallel
from tests.fakes.errands import errand
from tests.fakes.waiting import running

ROOT = Path(__file__).parents[3]


def run_errands(*tasks: str, count: int = 2, limit_s: float = 60) -> dict[str, object]:
    results = dict(run_parallel(errand, tasks, processes=count, threads=1, timeout_s=limit_s))
    return {
        task: result.reason if isinstance(result, Failure) else result
        for task, result in results.items()
    }


def test_every_task_has_a_result() -> None:
    assert run_errands("say a", "say b", "say c") == {"say a": "a", "say b": "b", "say c": "c"}


def test_tasks_begin_in_their_order() -> None:
    tasks = ["say a", "say b", "say c"]
    assert [
        task for task, _ in run_parallel(errand, tasks, processes=1, threads=1, timeout_s=60)
    ] == tasks


def test_a_worker_runs_many_tasks_with_its_number_of_threads() -> None:
    results = run_errands("process 1", "process 2", "threads", count=1)
    assert results["process 1"] == results["process 2"] != str(os.getpid())
    assert results["threads"] == "1"


def test_a_task_that_takes_too_long_is_killed_and_the_others_continue() -> None:
    results = run_errands("sleep", "say a", "say b", count=1, limit_s=4)
    assert results == {"sleep": "not finished within 4 s", "say a": "a", "say b": "b"}


def test_a_worker_that_dies_loses_only_its_task() -> None:
    results = run_errands("die", "leave", "say a", count=1)
    assert results["die"] == "its process died (killed, perhaps out of memory)"
    assert results["leave"] == "its process died (exit code 3)"
    assert results["say a"] == "a"


def test_an_error_becomes_the_reason_of_a_failure() -> None:
    results = run_errands("refuse", "break", "say a", count=1)
    assert results["refuse"] == "failed: it makes no sense"
    assert results["break"] == "failed: ZeroDivisionError: division by zero"
    assert results["say a"] == "a"


def test_no_worker_is_left_when_the_iteration_is_abandoned() -> None:
    for _ in run_parallel(
        errand, ["say a", "sleep", "sleep"], processes=2, threads=1, timeout_s=60
    ):
        break
    assert not [one for one in psutil.Process().children() if "spawn_main" in str(one.cmdline())]


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_its_parent(signal_number: signal.Signals) -> None:
    script = (
        "from lightmodel.search.parallel import run_parallel\n"
        "from tests.fakes.errands import errand\n"
        "if __name__ == '__main__':\n"
        "    tasks, limits = ['process 1', 'sleep'], {'processes': 1, 'threads': 1, 'timeout_s': 600}\n"
        "    for result in run_parallel(errand, tasks, **limits):\n"
        "        print(result[1], flush=True)\n"
    )
    Path("parent.py").write_text(script, encoding="utf-8")
    with running(
        [sys.executable, "parent.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal_number)
        parent.wait()
        gone, _ = psutil.wait_procs([child], timeout=30)
        assert gone == [child]
