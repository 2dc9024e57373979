"""A job that was interrupted goes on, and its output is the same as of one that was not."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from lightmodel.errors import AlreadyRunning, ContractViolation
from lightmodel.files import file_lock
from tests.fakes.scoring_jobs import Jobs
from tests.fakes.streams import visit

SOURCE = Path("rows.jsonl")


class Interrupted(BaseException):
    """Stands for a kill: nothing handles it."""


class Interrupting:
    """Progress that ends the work once it has passed so many bytes."""

    def __init__(self, most: int) -> None:
        self._left = most

    @contextmanager
    def task(
        self, title: str, total: int | None = None, unit: str = ""
    ) -> Iterator["Interrupting"]:
        del title, total, unit
        yield self

    def __call__(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise Interrupted


def write_rows(folder: Path, rows: int = 9_000, start: int = 0) -> None:
    lines = [orjson.dumps(visit(start + number)) + b"\n" for number in range(rows)]
    lines[rows // 3] = lines[-2] = b'{"visit_id":"bad","age":"old","spent":1,"where":"web"}\n'
    (folder / SOURCE).write_bytes(b"".join(lines))


def manifest(jobs: Jobs, out: str) -> Path:
    return jobs.folder / f".{out}.scoring" / "manifest.json"


def interrupt(jobs: Jobs, out: str, most: int = 400_000) -> int:
    """Interrupt a job, and return how many pieces its manifest counts."""
    progress, jobs.progress = jobs.progress, Interrupting(most)
    with pytest.raises(Interrupted):
        jobs(SOURCE, out, on_error="file", save_s=0.0)
    jobs.progress = progress
    assert not (jobs.folder / out).exists()
    return int(orjson.loads(manifest(jobs, out).read_bytes())["position"]["pieces"])


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_an_interrupted_job_goes_on(
    jobs: Jobs, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_rows(jobs.folder)
    jobs(SOURCE, f"whole.{ending}", on_error="file")
    out = f"cut.{ending}"
    assert interrupt(jobs, out) > 10
    with (manifest(jobs, out).parent / "answers").open("ab") as file:
        file.write(b"half a ro")  # written after the manifest
    result = jobs(SOURCE, out, on_error="file")
    assert "going on after" in caplog.text
    assert result.rows == 9_000
    assert jobs.out(out) == jobs.out(f"whole.{ending}")
    assert jobs.out("cut-errors.jsonl") == jobs.out("whole-errors.jsonl")
    assert not manifest(jobs, out).parent.exists()


def test_another_input_or_treatment_begins_anew(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_rows(jobs.folder)
    interrupt(jobs, "out.csv")
    write_rows(jobs.folder, start=5)
    assert jobs(SOURCE, on_error="file").rows == 9_000
    assert "starting anew: the unfinished job was about another input" in caplog.text
    first = jobs.out()
    interrupt(jobs, "again.csv")
    jobs(SOURCE, "again.csv", on_error="skip")
    assert "about another treatment of errors" in caplog.text
    assert jobs.out("again.csv") == first


@pytest.mark.parametrize("damage", ["manifest", "answers"])
def test_a_damaged_work_folder_begins_anew(jobs: Jobs, damage: str) -> None:
    write_rows(jobs.folder)
    jobs(SOURCE, "whole.csv", on_error="file")
    interrupt(jobs, "out.csv")
    if damage == "manifest":
        manifest(jobs, "out.csv").write_bytes(b"{")
    else:
        (manifest(jobs, "out.csv").parent / "answers").unlink()
    jobs(SOURCE, on_error="file")
    assert jobs.out() == jobs.out("whole.csv")


def test_a_row_is_numbered_alike_after_an_interruption(jobs: Jobs) -> None:
    rows = [orjson.dumps(visit(number)) + b"\n" for number in range(9_000)]
    rows[-1] = rows[-1].replace(b"web", b"w\\n").replace(b'"age":', b'"age":"x","more":')
    (jobs.folder / SOURCE).write_bytes(b"".join(rows))
    jobs.progress = Interrupting(400_000)
    with pytest.raises(Interrupted):
        jobs(SOURCE, save_s=0.0)
    jobs.progress = Interrupting(10**9)
    with pytest.raises(ContractViolation, match="row 9000;"):
        jobs(SOURCE)


def test_two_jobs_with_one_output_do_not_meet(jobs: Jobs) -> None:
    write_rows(jobs.folder, rows=10)
    with (
        file_lock(jobs.folder / ".out.csv.scoring" / "lock"),
        pytest.raises(AlreadyRunning, match=r"out\.csv"),
    ):
        jobs(SOURCE, on_error="skip")
