"""`watch` trains where there is a reason, and `data.feedback` trains on labelled rows of the log."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest

from tests.fakes.jenkins import jenkins
from tests.fakes.project import ROOT, Project
from tests.fakes.server import serving
from tests.fakes.tables import shop_table
from tests.fakes.waiting import running, wait_until

EAGER = ("--set", "watch.cooldown=0", "--set", "watch.measure_every=0")
PATIENCE_S = 300


def grow(project: Project, seed: int) -> None:
    """Let new visits arrive at the source."""
    path = project.folder / "shop.csv"
    part = path.with_suffix(".part")
    arrow_csv.write_csv(pa.concat_tables([shop_table(), shop_table(200, seed)]), part)
    part.replace(path)


def manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return content


def jobs(project: Project) -> list[dict[str, Any]]:
    """Return the trainings of the project, oldest first."""
    files = sorted(project.folder.glob("var/train/*.json"))
    return sorted((json.loads(path.read_bytes()) for path in files), key=lambda job: job["started"])


@contextmanager
def watching(project: Project, *words: str, **environ: str) -> "Iterator[subprocess.Popen[Any]]":
    command = [sys.executable, "-m", "lightmodel", "watch", "--every", "1s", *words]
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    with (
        (project.folder / "watch.log").open("ab") as log,
        running(command, cwd=project.folder, env=everything, stdout=log, stderr=log) as process,
    ):
        yield process


def test_a_look_trains_on_new_data_once_and_says_why_everywhere(project: Project) -> None:
    first = project.tool("watch", "--once")
    assert first.code == 0, first.err
    assert "data without a model at the source" in first.err
    assert first.out.splitlines()[-1].endswith(": approved")
    assert "no training was started" in project.tool("watch", "--once", *EAGER).out
    grow(project, seed=7)
    held_back = project.tool("watch", "--once")
    assert "watch.cooldown lasts until" in held_back.err
    assert len(jobs(project)) == 1
    second = project.tool("watch", "--once", *EAGER)
    assert second.code == 0, second.err
    model = project.models()[-1]
    reason = manifest(model)["reason"]
    assert reason.startswith("new data at the source")
    assert manifest(project.splits()[-1])["reason"] == reason == jobs(project)[-1]["reason"]
    assert reason in (model / "report.html").read_text(encoding="utf-8")
    assert f"started because of: {reason}" in project.tool("logs").out


def test_a_table_that_cannot_be_used_is_not_tried_again_at_once(approved: Project) -> None:
    (approved.folder / "shop.csv").write_text("visit_id,age\na,1\nb,2\n", encoding="utf-8")
    failed = approved.tool("watch", "--once", *EAGER)
    assert failed.code == 65
    assert "hint: correct data.target" in failed.out
    again = approved.tool("watch", "--once", *EAGER)
    assert (again.code, "no training was started" in again.out) == (0, True)
    assert len(jobs(approved)) == 1


KILLED = """
import os, signal


def features(table):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_training_that_is_killed_says_so_and_is_not_repeated_at_once(approved: Project) -> None:
    grow(approved, seed=12)
    (approved.folder / "killed.py").write_text(KILLED, encoding="utf-8")
    words = ("watch", "--once", *EAGER, "--set", "train.module=killed.py")
    killed = approved.tool(*words)
    assert killed.code == 130, killed.err
    assert "failed: it was killed by signal 9 (out of memory?); the next run" in killed.out
    assert "no training was started" in approved.tool(*words).out
    (job,) = jobs(approved)
    assert (job["state"], job["exit_code"]) == ("failed", -9)


def test_a_damaged_state_costs_a_warning_and_no_measurement(approved: Project) -> None:
    log = approved.folder / "var" / "log"
    log.mkdir(exist_ok=True)
    (log / "watch.json").write_text('{"attempts": {}, "measured": "yesterday"}', encoding="utf-8")
    looked = approved.tool("watch", "--once")
    assert looked.code == 0, looked.err
    assert "watch.json cannot be read; watching begins anew" in looked.err
    assert (log / "drift.json").exists()


def test_a_source_that_is_away_costs_a_warning(approved: Project) -> None:
    (approved.folder / "shop.csv").unlink()
    looked = approved.tool("watch", "--once", *EAGER)
    assert looked.code == 0
    assert "the source: there is no file shop.csv" in looked.err


def test_a_watcher_that_is_killed_leaves_its_training_and_the_next_starts_no_second(
    project: Project,
) -> None:
    with watching(project, *EAGER) as killed:
        wait_until(lambda: jobs(project), "a training", process=killed, seconds=PATIENCE_S)
        other = project.tool("watch", "--once")
        assert (other.code, "another process watches the store" in other.err) == (75, True)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    with watching(project, *EAGER) as process:
        wait_until(
            lambda: jobs(project)[-1]["state"] == "approved",
            "the training's end",
            process=process,
            seconds=PATIENCE_S,
        )
        grow(project, seed=8)
        wait_until(lambda: len(jobs(project)) == 2, "new data", process=process, seconds=PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert [job["reason"].partition(" at ")[0] for job in jobs(project)] == [
        "data without a model",
        "new data",
    ]
    wait_until(lambda: jobs(project)[-1]["ended"], "the last training's end", seconds=PATIENCE_S)


def test_jenkins_is_told_why_it_trains(approved: Project) -> None:
    grow(approved, seed=9)
    with jenkins() as fake:
        fake.parameters = ("REASON",)
        settings = {
            "LIGHTMODEL__SERVE__JENKINS_URL": fake.url,
            "LIGHTMODEL__SERVE__JENKINS_USER": "bot",
            "LIGHTMODEL__SERVE__JENKINS_TOKEN": "token",
        }
        looked = approved.tool("watch", "--once", **settings)
        assert looked.code == 0, looked.err
        assert looked.out.strip() == f"queued: {fake.url}"
        assert fake.given["REASON"].startswith("new data at the source")
        fake.user = "somebody else"
        refused = approved.tool("watch", "--once", **settings)
        assert (refused.code, "Jenkins refused" in refused.err) == (75, True)
    assert not jobs(approved)


@pytest.mark.parametrize(
    "words", [(), ("--once", "--every", "5m"), ("--every", "soon"), ("--every", "0")]
)
def test_a_wrong_call_says_what_is_right(project: Project, words: tuple[str, ...]) -> None:
    called = project.tool("watch", *words)
    assert called.code == 2
    assert "5m" in called.err


def test_labelled_rows_of_the_log_train_and_the_test_rows_stay(approved: Project) -> None:
    before = approved.models()[0]
    visits = shop_table(300, seed=11)
    arrow_csv.write_csv(visits.drop(["bought"]), approved.folder / "visits.csv")
    # A label of a row of the table itself, too: that row is not doubled.
    known = shop_table().slice(0, 50)
    arrow_csv.write_csv(known.drop(["bought"]), approved.folder / "known.csv")
    post(approved, "visits.csv", "known.csv")
    nothing = approved.run("--set", "data.feedback=true", "--reason", "nothing yet")
    assert nothing.code == 0, nothing.err
    assert "0 labelled rows of the prediction log are further training rows" in nothing.err
    arrow_csv.write_csv(
        pa.concat_tables([visits, known]).select(["visit_id", "bought"]),
        approved.folder / "labels.csv",
    )
    assert approved.tool("feedback", "labels.csv").code == 0
    looked = approved.tool(
        "watch",
        "--once",
        *EAGER,
        "--set",
        "watch.min_new_labels=300",
        "--set",
        "data.feedback=true",
    )
    assert looked.code in {0, 10}, looked.err + looked.out  # the gate decides as ever
    assert "labels: 350 labelled rows since the last training" in looked.err
    split = approved.splits()[-1]
    added = manifest(split)["inputs"]["feedback"]["rows"]
    assert 0.5 * 300 < added < 300  # those that the split would test are left out
    old, new = manifest(approved.splits()[0])["rows"], manifest(split)["rows"]
    assert new == {"train": old["train"] + added, "test": old["test"]}
    assert (split / "test.csv").read_bytes() == (approved.splits()[0] / "test.csv").read_bytes()
    model = approved.models()[-1]
    assert model != before
    assert f"({added} of them labelled feedback)" in (model / "report.html").read_text("utf-8")
    again = approved.run("--set", "data.feedback=true")
    assert "made:" not in again.out, again.out


def post(project: Project, *files: str) -> None:
    """Have a service score the rows of files, and log them with their features."""
    import requests

    with serving(project, LIGHTMODEL__LOG__FEATURES="true") as address:
        for file in files:
            body = (project.folder / file).read_bytes()
            headers = {"Content-Type": "text/csv"}
            answer = requests.post(f"{address}/predict", body, headers=headers, timeout=60)
            assert answer.status_code == 200, answer.text


def test_feedback_without_a_log_says_which_setting_is_needed(project: Project) -> None:
    ran = project.run("--set", "data.feedback=true", "--set", "log.sink=none")
    assert (ran.code, "log.sink" in ran.err) == (78, True)
