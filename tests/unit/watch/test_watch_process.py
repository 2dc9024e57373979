"""Trainings as processes: one at a time, with state and output, whoever ends first."""

import os
import signal
import sys
from pathlib import Path

import pytest

from lightmodel.errors import AlreadyRunning
from lightmodel.watch.jobs import Job, reason_text
from lightmodel.watch.process import ProcessJobs
from tests.fakes.waiting import wait_until


def jobs_of(code: str, keep: int = 50) -> ProcessJobs:
    """Return jobs that run a line of Python, which finds its reason in sys.argv."""
    return ProcessJobs(Path("train"), (sys.executable, "-c", code), keep)


def ended(jobs: ProcessJobs, job: Job) -> Job:
    wait_until(
        lambda: not (jobs.find(job.id) or job).is_under_way, "the end of a training", seconds=120
    )
    last = jobs.find(job.id)
    assert last
    return last


@pytest.mark.parametrize(
    ("code", "state"), [(0, "approved"), (10, "rejected"), (65, "failed"), (75, "failed")]
)
def test_an_exit_code_is_a_state(code: int, state: str) -> None:
    jobs = jobs_of(f"import sys; print(*sys.argv[1:]); sys.exit({code})")
    job = ended(jobs, jobs.start("new data; drift"))
    assert (job.state, job.exit_code, job.reason) == (state, code, "new data; drift")
    assert job.last_lines == ("--reason new data; drift",)
    assert job.ended is not None
    assert jobs.latest() == job
    assert not job.was_interrupted


def test_two_do_not_run_at_once_and_a_stopped_one_is_interrupted(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    write = f"open({str(pid)!r}, 'w').write(f'{{os.getpgid(0)}} ')"
    jobs = jobs_of(f"import os, time; {write}; time.sleep(600)")
    job = jobs.start("")
    with pytest.raises(AlreadyRunning, match=job.id):
        jobs.start("")
    wait_until(
        lambda: pid.exists() and pid.read_text().endswith(" "), "the training's start", seconds=120
    )
    group = int(pid.read_text())
    assert group != os.getpgid(0)
    os.killpg(group, signal.SIGKILL)
    last = ended(jobs, job)
    assert (last.state, last.exit_code, last.was_interrupted) == ("failed", None, True)
    second = jobs.start("again")
    wait_until(
        lambda: pid.exists() and pid.read_text() != f"{group} ", "its second start", seconds=120
    )
    os.killpg(int(pid.read_text()), signal.SIGKILL)
    ended(jobs, second)


def test_only_the_newest_jobs_are_kept() -> None:
    jobs = jobs_of("", keep=2)
    started = [ended(jobs, jobs.start(f"number {at}")).id for at in range(4)]
    assert jobs.find(started[0]) is None
    assert jobs.find(started[-1])
    left = {path.stem for path in jobs.folder.iterdir() if path.stem != ".lock"}
    assert len(left) == 2


def test_what_is_no_job_is_not_found() -> None:
    jobs = jobs_of("")
    assert jobs.latest() is None
    jobs.folder.mkdir()
    name = "20260101T000000Z-abcdef"
    for content in ("", "{}", "[]", '{"pid": 1}'):
        (jobs.folder / f"{name}.json").write_text(content, encoding="utf-8")
        assert jobs.find(name) is None
        assert jobs.latest() is None
    assert jobs.find("../../etc/passwd") is None


def test_a_reason_is_one_line_of_limited_length() -> None:
    assert reason_text("  new\ndata\t\x1b[31mred\0 ") == "new data [31mred"
    assert len(reason_text("x" * 1_000)) == 300
