"""Tasks in processes of their own: side by side, killed at their limit, gone with their parent."""

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


def answers(*tasks: str, count: int = 2, limit_s: float = 60) -> dict[str, object]:
    found = dict(run_parallel(errand, tasks, processes=count, threads=1, timeout_s=limit_s))
    return {
        task: answer.reason if isinstance(answer, Failure) else answer
        for task, answer in found.items()
    }


def test_every_task_is_answered() -> None:
    assert answers("say a", "say b", "say c") == {"say a": "a", "say b": "b", "say c": "c"}


def test_tasks_begin_in_their_order() -> None:
    tasks = ["say a", "say b", "say c"]
    assert [
        task for task, _ in run_parallel(errand, tasks, processes=1, threads=1, timeout_s=60)
    ] == tasks


def test_a_process_is_used_for_many_tasks_and_knows_its_threads() -> None:
    found = answers("process 1", "process 2", "threads", count=1)
    assert found["process 1"] == found["process 2"] != str(os.getpid())
    assert found["threads"] == "1"


def test_what_takes_too_long_is_killed_and_the_others_go_on() -> None:
    found = answers("sleep", "say a", "say b", count=1, limit_s=4)
    assert found == {"sleep": "not finished within 4 s", "say a": "a", "say b": "b"}


def test_a_process_that_dies_costs_its_task_alone() -> None:
    found = answers("die", "leave", "say a", count=1)
    assert found["die"] == "its process died (killed, perhaps for want of memory)"
    assert found["leave"] == "its process died (exit code 3)"
    assert found["say a"] == "a"


def test_an_error_is_told_in_words() -> None:
    found = answers("refuse", "break", "say a", count=1)
    assert found["refuse"] == "failed: it makes no sense"
    assert found["break"] == "failed: ZeroDivisionError: division by zero"
    assert found["say a"] == "a"


def test_no_process_is_left_when_nobody_wants_more() -> None:
    for _ in run_parallel(
        errand, ["say a", "sleep", "sleep"], processes=2, threads=1, timeout_s=60
    ):
        break
    assert not [one for one in psutil.Process().children() if "spawn_main" in str(one.cmdline())]


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_its_parent(blow: signal.Signals) -> None:
    script = (
        "from lightmodel.search.parallel import run_parallel\n"
        "from tests.fakes.errands import errand\n"
        "if __name__ == '__main__':\n"
        "    tasks, limits = ['process 1', 'sleep'], {'processes': 1, 'threads': 1, 'timeout_s': 600}\n"
        "    for answer in run_parallel(errand, tasks, **limits):\n"
        "        print(answer[1], flush=True)\n"
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
        parent.send_signal(blow)
        parent.wait()
        gone, _ = psutil.wait_procs([child], timeout=30)
        assert gone == [child]
