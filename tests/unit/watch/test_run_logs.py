"""The log of a run tells its stages, its folds and how it ended, while it runs and afterwards."""

import json
from pathlib import Path

from lightmodel.config import load
from lightmodel.watch.run_logs import logs_folder, read_log, run_names

NAME = "20260102T030405000000Z-abcdef"
FOLDER = Path("logs")


def write(*events: dict[str, object], rest: str = "") -> None:
    FOLDER.mkdir(exist_ok=True)
    common = {"time": "2026-01-02T03:04:05Z", "level": "info", "run": NAME, "stage": "run"}
    lines = [json.dumps({**common, "message": "", **event}) for event in events]
    (FOLDER / f"{NAME}.log").write_text("\n".join(lines) + "\n" + rest)


def test_a_run_under_way_shows_its_stages_folds_and_progress() -> None:
    write(
        {"event": "run started", "command": "run"},
        {"event": "reason", "message": "started because of: new prices: all"},
        {"event": "stage started", "stage": "preprocess"},
        {"event": "stage ended", "stage": "preprocess", "seconds": 1.5, "version": "v1"},
        {"event": "stage started", "stage": "train"},
        {
            "event": "fold ended",
            "fold": 2,
            "folds": 5,
            "rounds": 31,
            "curve": [[1, 0.7], [31, 0.4]],
        },
        {"message": "cross-validation: 1 of 5 folds (20 %) after 3.0 s"},
        rest='{"time": "2026-01-02T03:0',
    )
    log = read_log(FOLDER, NAME)
    assert (log.command, log.reason, log.outcome) == ("run", "new prices: all", "")
    assert [(one.name, one.seconds) for one in log.stages] == [("preprocess", 1.5), ("train", None)]
    assert log.versions == ["v1"]
    assert (log.folds[0].fold, log.folds[0].of, log.folds[0].rounds) == (2, 5, 31)
    assert log.folds[0].curve == [(1, 0.7), (31, 0.4)]
    assert log.progress.startswith("cross-validation: 1 of 5")
    assert run_names(FOLDER) == [NAME]


def test_a_run_that_failed_says_why_and_what_to_do() -> None:
    write(
        {"event": "run started", "command": "run"},
        {"event": "run failed", "message": "no such table", "hint": "check it", "seconds": 0.5},
    )
    log = read_log(FOLDER, NAME)
    assert (log.outcome, log.hint, log.succeeded, log.seconds) == (
        "no such table",
        "check it",
        False,
        0.5,
    )


def test_a_folder_without_logs_has_no_runs() -> None:
    assert run_names(logs_folder(load(environ={}).config)) == []
    assert read_log(FOLDER, NAME).stages == []
