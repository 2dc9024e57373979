"""What a change of the settings would run again is said before, with the reason."""

from collections.abc import Sequence

import pytest

from lightmodel.config import Config, load
from lightmodel.pipeline.plan import planned
from tests.fakes.project import Project


def settings(project: Project, *sets: str) -> Config:
    return load(project.folder / "config.toml", sets, {}).config


def plan(project: Project, *sets: str) -> list[tuple[str, bool, str]]:
    before, after = settings(project), settings(project, *sets)
    return [(one.stage, one.runs, one.why) for one in planned(before, after)]


@pytest.fixture
def trained(approved: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(approved.folder)
    return approved


def test_without_a_change_nothing_runs_again(trained: Project) -> None:
    assert plan(trained) == [
        ("preprocess", False, "unless the table itself has changed"),
        ("train", False, "nothing changed"),
        ("testing", False, "nothing changed"),
    ]


@pytest.mark.parametrize(
    ("sets", "runs", "reasons"),
    [
        (["gate.minimum=0.1"], [False, False, True], ["gate.minimum changes"]),
        (["serve.on_missing=refuse"], [False, False, False], []),
        (["log.keep_days=3"], [False, False, False], []),
        (["train.seed=7"], [False, True, True], ["train.seed changes", "after train"]),
        (
            ["train.seed=7", "train.final=ensemble"],
            [False, True, True],
            ["train.seed and train.final change"],
        ),
        (["data.source=other.csv"], [True, True, True], ["data.source changes"]),
        (["split.test_share=0.4"], [True, True, True], ["split.test_share changes"]),
    ],
)
def test_the_stages_that_a_setting_enters_run_again(
    trained: Project, sets: Sequence[str], runs: list[bool], reasons: list[str]
) -> None:
    stages = plan(trained, *sets)
    assert [runs for _, runs, _ in stages] == runs
    said = [why for _, runs, why in stages if runs]
    for reason in reasons:
        assert reason in said


def test_the_first_run_does_everything(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    assert plan(project) == [
        ("preprocess", True, "there is no split yet"),
        ("train", True, "if the split differs from the last one"),
        ("testing", True, "after train"),
    ]
