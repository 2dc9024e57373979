"""`python -m lightmodel tune`, run as a user runs it."""

import csv
import json
import re
import signal
import subprocess
import sys
import tomllib
from contextlib import AbstractContextManager, ExitStack

import pytest

from tests.fakes.project import ROOT, SETTINGS, Project
from tests.fakes.waiting import running, wait_until

FREE = SETTINGS.replace(
    "parameters = {num_leaves = 4, max_rounds = 60, learning_rate = 0.25}",
    "parameters = {max_rounds = 60}  # few",
)
FAST = ("--set", "tune.folds=3", "--set", "tune.finalists=2", "--set", "tune.max_rounds=40")


@pytest.fixture
def table(preprocessed: Project) -> Project:
    preprocessed.settings(FREE)
    return preprocessed


def trials_of(project: Project) -> list[dict[str, str]]:
    (path,) = project.folder.glob("var/studies/*/trials.csv")
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def counted(project: Project) -> int:
    return sum(row["state"] in {"complete", "pruned"} for row in trials_of(project))


def journal_lines(project: Project) -> int:
    paths = list(project.folder.glob("var/studies/*/journal.log"))
    return len(paths[0].read_text(encoding="utf-8").splitlines()) if paths else 0


def tuning(project: Project, *words: str) -> "AbstractContextManager[subprocess.Popen[bytes]]":
    return running(
        [sys.executable, "-m", "lightmodel", "tune", *words],
        cwd=project.folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LIGHTMODEL__TRACKING__URI": "none"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_the_best_is_taken_over_and_no_test_row_is_read(table: Project) -> None:
    (test_rows,) = table.folder.glob("preprocessed/*/test.csv")
    kept = test_rows.read_bytes()
    test_rows.unlink()
    ran = table.tool("tune", "--trials", "8", "--write", *FAST)
    assert ran.code == 0, ran.err
    assert counted(table) == 8
    (folder,) = table.folder.glob("var/studies/*")
    assert (folder / "study.png").stat().st_size > 5_000
    assert "the present settings" in ran.out
    text = (table.folder / "config.toml").read_text(encoding="utf-8")
    before, after = tomllib.loads(FREE), tomllib.loads(text)
    test_rows.write_bytes(kept)
    if "nothing is better" not in ran.out:
        assert "# few" in text
        assert after["train"].pop("parameters") != before["train"].pop("parameters")
        assert after == before
        made = table.run("train")
        assert made.err.count("is resumed from its checkpoint") == 4, (
            made.err
        )  # the folds of the finalist
        shown = re.search(r"AUC (0\.\d+) instead of", ran.out)
        assert shown
        assert f"AUC {shown[1]} out of fold" in made.out
    else:
        assert text == FREE
        assert "nothing is better than the present settings by more than the noise" in ran.out


def test_the_same_command_adds_nothing_and_a_bigger_number_goes_on(table: Project) -> None:
    assert table.tool("tune", "--trials", "4", *FAST).code == 0
    lines = journal_lines(table)
    assert table.tool("tune", "--trials", "4", *FAST).code == 0
    assert journal_lines(table) - lines <= 2  # opening the study appends lines as well
    assert table.tool("tune", "--trials", "6", *FAST).code == 0
    assert counted(table) == 6


def test_killed_in_a_trial_the_same_command_goes_on(table: Project) -> None:
    with tuning(table, "--trials", "6", *FAST) as process:
        wait_until(
            lambda: journal_lines(table) >= 40 or process.poll() is not None,
            "the study's first trials",
            seconds=300,
        )
        process.send_signal(signal.SIGKILL)
    ran = table.tool("tune", "--trials", "6", *FAST)
    assert ran.code == 0, ran.err
    assert counted(table) == 6
    assert not [row for row in trials_of(table) if row["state"] == "running"]


def test_two_processes_share_a_study(table: Project) -> None:
    with ExitStack() as stack:
        both = [stack.enter_context(tuning(table, "--trials", "10", *FAST)) for _ in range(2)]
        assert [process.wait(timeout=300) for process in both] == [0, 0]
    assert table.tool("tune", "--trials", "10", *FAST).code == 0
    assert counted(table) == 10
    numbers = [row["trial"] for row in trials_of(table)]
    assert len(set(numbers)) == len(numbers)


def test_a_time_limit_ends_the_search_with_what_is_known(table: Project) -> None:
    ran = table.tool("tune", "--trials", "100000", "--timeout", "4s", *FAST)
    assert ran.code == 0, ran.err
    assert 0 < counted(table) < 100_000
    assert "study" in ran.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--timeout", "soon"), 78, "write a duration"),
        (("--trials", "0"), 78, "tune.trials"),
        (("--trials", "many"), 78, "tune.trials"),
        (("--set", "tune.ranges={num_leafs = {low = 2}}"), 78, "did you mean 'num_leaves'"),
        (("--set", "train.estimator=sklearn.svm.SVC"), 78, "has no declared ranges"),
        (("--write", "--set", "train.parameters={max_rounds = 9}"), 78, "--write cannot work"),
        (("--write", "--set", "train.estimator=lightgbm"), 78, "--write cannot work"),
    ],
)
def test_impossible_options_are_refused(
    table: Project, words: tuple[str, ...], code: int, message: str
) -> None:
    ran = table.tool("tune", *words)
    assert (ran.code, message in ran.err) == (code, True), ran.err
    assert "Traceback" not in ran.err


def test_the_table_of_the_settings_is_searched_on_and_not_the_newest_split(table: Project) -> None:
    other = ("--set", "data.source=sklearn://diabetes", "--set", "data.target=target")
    assert table.run("preprocess", *other, "--set", "data.contract=new").code == 0
    ran = table.tool("tune", "--trials", "2", *FAST)
    assert ran.code == 0, ran.err
    assert "AUC" in ran.out
    assert "RMSE" not in ran.out


def test_the_ranges_are_shown(table: Project) -> None:
    ran = table.tool("tune", "--ranges")
    assert re.search(r"^num_leaves +2 to 128 \(int, log\)$", ran.out, re.MULTILINE)
    assert re.search(r"^max_rounds +60 \(fixed by train.parameters\)$", ran.out, re.MULTILINE)


def test_the_trials_of_a_study_are_tracked(table: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTMODEL__TRACKING__URI", "http://127.0.0.1:9")
    monkeypatch.setenv("LIGHTMODEL__TRACKING__TIMEOUT_S", "0.1")
    ran = table.tool("tune", "--trials", "3", *FAST)
    assert ran.code == 0, ran.err
    letters = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((table.folder / "var" / "tracking").glob("*.json"))
    ]
    kinds = [json.dumps(one).count('"kind": "trial"') for one in letters]
    assert sum(kinds) == 3
    assert "tracking resend" in ran.err
