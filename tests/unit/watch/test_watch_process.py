"""Trainings as processes: one at a time, with state and output, whoever ends first."""

import json
import os
import signal
import sys
from dataclasses import replace
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


def found(jobs: ProcessJobs, job: Job) -> Job:
    there = jobs.find(job.id)
    assert there
    return there


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


def killed_supervisor(tmp_path: Path, code: str) -> tuple[ProcessJobs, Job, int]:
    """Start a job whose supervisor is killed; return the process number of its training, too."""
    numbers = tmp_path / "numbers"
    write = f"open({str(numbers)!r}, 'w').write(f'{{os.getppid()}} {{os.getpid()}} ')"
    jobs = jobs_of(f"import os, signal, time; {code}; {write}; time.sleep(600)")
    job = jobs.start("")
    wait_until(
        lambda: numbers.exists() and numbers.read_text().endswith(" "), "a training", seconds=120
    )
    supervisor, training = map(int, numbers.read_text().split())
    os.kill(supervisor, signal.SIGKILL)
    return jobs, job, training


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_training_ends_with_its_supervisor(tmp_path: Path) -> None:
    jobs, job, _ = killed_supervisor(tmp_path, "pass")
    last = ended(jobs, job)
    assert (last.state, last.was_interrupted) == ("failed", True)
    assert "the next run keeps the folds" in last.outcome


def test_a_training_that_outlives_its_supervisor_still_runs_and_no_second_starts(
    tmp_path: Path,
) -> None:
    ignore = "signal.signal(signal.SIGTERM, lambda *_: print('told to end', flush=True))"
    jobs, job, training = killed_supervisor(tmp_path, ignore)
    if sys.platform == "linux":
        wait_until(lambda: found(jobs, job).last_lines, "the supervisor's end", seconds=120)
    assert found(jobs, job).state == "running"
    with pytest.raises(AlreadyRunning, match=job.id):
        jobs.start("")
    os.kill(training, signal.SIGKILL)
    assert ended(jobs, job).was_interrupted


def test_a_training_that_is_killed_says_by_which_signal() -> None:
    jobs = jobs_of("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    job = ended(jobs, jobs.start(""))
    assert (job.exit_code, job.was_interrupted, job.was_killed) == (-9, False, True)
    assert job.outcome.startswith("failed: it was killed by signal 9 (out of memory?); ")


def test_a_job_that_is_stopped_ends_as_by_ctrl_c_and_cleans_up() -> None:
    jobs = jobs_of(
        "import time\n"
        "try: print('started', flush=True); time.sleep(600)\n"
        "except KeyboardInterrupt: print('cleaned up', flush=True); raise SystemExit(130)"
    )
    job = jobs.start("why not")
    wait_until(lambda: found(jobs, job).last_lines, "a training's start", seconds=120)
    jobs.stop(job.id)
    last = ended(jobs, job)
    assert (last.state, last.exit_code) == ("stopped", 130)
    assert last.last_lines == ("started", "cleaned up")
    assert "the next run keeps the folds" in last.outcome
    jobs.stop(job.id)  # again, which changes nothing
    assert [(one.id, one.state) for one in jobs.listed()] == [(job.id, "stopped")]


def test_a_job_that_ended_well_is_not_stopped() -> None:
    jobs = jobs_of("")
    job = jobs.start("")
    ended(jobs, job)
    jobs.stop(job.id)
    assert not list(jobs.folder.glob("*.stop"))


def test_a_job_of_a_wrong_clock_does_not_hide_the_others() -> None:
    jobs = jobs_of("")
    jobs.folder.mkdir()
    ahead = Job("20991231T000000Z-abcdef", "approved", "2099-12-31T00:00:00+00:00")
    (jobs.folder / f"{ahead.id}.json").write_text(json.dumps(vars(ahead)), encoding="utf-8")
    assert jobs.latest() == ahead
    other = replace(ahead, id="20260101T000000Z-abcdef", started="2026-01-01T00:00:00+00:00")
    (jobs.folder / f"{other.id}.json").write_text(json.dumps(vars(other)), encoding="utf-8")
    assert jobs.latest() == other


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
    job = vars(Job(name, "approved", "2026-01-01T00:00:00+00:00"))
    changes = ({"started": "yesterday"}, {"started": "2026-01-01"}, {"ended": 5}, {"state": "?"})
    damaged = [json.dumps({**job, **change}) for change in changes]
    for content in ("", "{}", "[]", '{"pid": 1}', *damaged):
        (jobs.folder / f"{name}.json").write_text(content, encoding="utf-8")
        assert jobs.find(name) is None
        assert jobs.latest() is None
    assert jobs.find("../../etc/passwd") is None


def test_a_reason_is_one_line_of_limited_length() -> None:
    assert reason_text("  new\ndata\t\x1b[31mred\0 ") == "new data [31mred"
    assert len(reason_text("x" * 1_000)) == 300
