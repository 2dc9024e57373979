"""`flows` before Prefect's Python takes over, and what it is handed."""

import json
from pathlib import Path

import pytest

from lightmodel.flows.stages import VARIABLE
from tests.fakes.command_line import CommandLine
from tests.fakes.project import Project

FAKE_PYTHON = """#!/bin/sh
{ printf '%s\\n' "$@" && env; } > seen
exit 7
"""


def test_a_missing_environment_is_named_with_what_makes_it(call: CommandLine) -> None:
    called = call("flows", "serve", "--set", "flows.python=nowhere/python")
    assert called.code == 78
    assert "flows.python, nowhere/python, is not there" in called.err
    assert "make prefect" in called.err


def test_a_python_that_cannot_be_run_is_named(call: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("no program")
    called = call("flows", "run", "drift", "--set", "flows.python=python")
    assert called.code == 78
    assert "python cannot be run" in called.err


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "deploy"),
        ("run", "chain", "--parameter", "reason"),
        ("run", "tune", "--parameter", "force=true"),
    ],
)
def test_invalid_arguments_are_refused(call: CommandLine, words: tuple[str, ...]) -> None:
    assert call("flows", *words).code == 2


@pytest.mark.parametrize(
    "setting",
    [
        "flows.chain_schedule=daily",
        "flows.tune_schedule=61 * * * *",
        "flows.time_zone=Mars/Olympus",
        "flows.retry_delay=soon",
        "flows.serve=[]",
        "flows.name=a/b",
    ],
)
def test_invalid_settings_are_named(call: CommandLine, setting: str) -> None:
    called = call("flows", "serve", "--set", setting)
    assert called.code == 78
    assert setting.partition("=")[0] in called.err


def test_prefects_python_gets_a_job_and_no_telemetry(project: Project) -> None:
    """It replaces the process, so that signals reach it and its exit code is the command's."""
    python = project.folder / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    words = ["--parameter", "trials=5", "--set", "flows.python=python", "--set", "flows.retries=1"]
    ran = project.tool("flows", "run", "tune", *words)
    assert ran.code == 7, ran.err
    seen = (project.folder / "seen").read_text().splitlines()
    assert seen[0] == "-I"
    assert seen[2:5] == ["run", "tune", '{"trials": 5}']
    assert {"DO_NOT_TRACK=1", "PREFECT_SERVER_ANALYTICS_ENABLED=false"} <= set(seen)
    assert not [line for line in seen if line.startswith("PYTHONPATH=")]
    job = json.loads(next(line for line in seen if line.startswith(VARIABLE)).partition("=")[2])
    assert job["retries"] == 1
    assert Path(job["folder"]) == project.folder.resolve() / "var" / "flows"
    assert job["command"][1:] == ["-m", "lightmodel"]
    assert Path(job["project"]).samefile(project.folder)


def test_results_are_printed_as_json(call: CommandLine, approved: Project) -> None:
    called = call("flows", "results", "chain")
    assert called.code == 0, called.err
    report, metrics = json.loads(called.out)
    version = approved.models()[-1].name
    assert f"# {version}: approved" in report["markdown"]
    auc = next(row for row in metrics["table"] if row["metric"] == "AUC")
    assert 0.5 < auc["value"] <= 1
    assert auc["dummy"] == 0.5
    assert " to " in auc["interval (95 %)"]


@pytest.mark.parametrize("name", ["chain", "tune", "drift"])
def test_there_are_no_results_before_the_first_run(
    call: CommandLine, project: Project, name: str
) -> None:
    del project
    assert json.loads(call("flows", "results", name).out) == []
