"""`score` as a process that is killed in the middle: the same command goes on."""

import os
import signal
import sys
from pathlib import Path

import orjson

from tests.fakes.project import ROOT, Project
from tests.fakes.streams import visit
from tests.fakes.waiting import running, wait_until

ROWS = 300_000


def write_rows(path: Path) -> None:
    lines = [orjson.dumps(visit(number)) + b"\n" for number in range(ROWS)]
    lines[ROWS - 7] = lines[ROWS // 2] = b'{"visit_id":"b","age":"old","spent":1,"where":"web"}\n'
    path.write_bytes(b"".join(lines))


def test_a_killed_job_goes_on_without_a_row_lost_or_twice(approved: Project) -> None:
    write_rows(approved.folder / "rows.jsonl")
    words = ["score", "rows.jsonl", "--on-error", "file", "--output"]
    whole = approved.tool(*words, "whole.csv", "--processes", "1")
    assert whole.code == 0, whole.err
    command = [sys.executable, "-m", "lightmodel", *words, "out.csv", "--processes", "2"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    manifest = approved.folder / ".out.csv.scoring" / "manifest.json"
    for _ in range(2):
        with (
            (approved.folder / "score.log").open("wb") as log,
            running(command, cwd=approved.folder, env=environ, stdout=log, stderr=log) as process,
        ):
            wait_until(manifest.exists, "rows that are scored", process=process, seconds=300)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert not (approved.folder / "out.csv").exists()
    again = approved.tool(*words, "out.csv", "--processes", "2")
    assert again.code == 0, again.err
    assert "going on after" in again.err
    assert f"{ROWS - 2:,} of {ROWS:,} rows scored" in again.out
    for name in ("{}.csv", "{}-errors.jsonl"):
        cut, expected = (approved.folder / name.format(stem) for stem in ("out", "whole"))
        assert cut.read_bytes() == expected.read_bytes()
    assert not manifest.parent.exists()
