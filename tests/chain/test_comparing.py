"""`python -m lightmodel compare` as a user runs it, and which rows it reads."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from lightmodel.config import load
from lightmodel.errors import ArtefactCorrupt, DataError
from lightmodel.pipeline import factory as training
from lightmodel.pipeline.compare import Contest, compare, meet_test_rows, tell
from lightmodel.pipeline.context import Pins, Workshop
from lightmodel.pipeline.entries import enter
from lightmodel.pipeline.preprocess import run_preprocess
from lightmodel.progress.silent import SilentProgress
from lightmodel.search.entries import Contender, Ended
from lightmodel.tracking.records import RunRecord
from tests.fakes.project import Project

FOREST = Contender(
    "forest", "sklearn.ensemble.RandomForestClassifier", {"n_estimators": 5, "max_depth": 3}
)
LINE = Contender("line", "sklearn.linear_model.LogisticRegression")


def comparisons(project: Project) -> list[Path]:
    return sorted(project.folder.glob("var/comparisons/2*"))


def race(workshop: Workshop, failing: Sequence[str] = ()) -> Contest:
    """Train in this process, one after the other."""

    def run(split: str, contenders: Sequence[Contender]) -> Iterator[Ended]:
        for one in contenders:
            if one.name in failing:
                yield Ended(one, why="not finished within 1 s")
            else:
                yield Ended(one, version=enter(workshop, split, one))

    return Contest((FOREST, LINE), (), run, ensemble=True)


def workshop_of(*sets: str) -> Workshop:
    return training.workshop(load(sets=sets).config, SilentProgress())


def test_the_winner_is_found_shown_kept_and_written(project: Project) -> None:
    ran = project.tool("compare", "--only", "logistic", "--only", "knn", "--ensemble", "--write")
    assert ran.code == 0, ran.err
    assert "present settings" in ran.out
    (folder,) = comparisons(project)
    with (folder / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = {row["contender"] for row in rows}
    assert {"logistic", "knn", "present settings"} <= names
    means = [float(row["auc_mean"]) for row in rows]
    assert means == sorted(means, reverse=True)
    assert all(float(row["fit_seconds"]) > 0 and int(row["bytes"]) > 500 for row in rows)
    sheet = openpyxl.load_workbook(folder / "comparison.xlsx").worksheets[0]
    assert [cell.value for cell in sheet["B"][1:]] == [row["contender"] for row in rows]
    assert sheet["C2"].value == pytest.approx(means[0])
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    tested = json.loads((folder / "winner-on-test-rows.json").read_bytes())
    assert tested["winner"] == rows[0]["contender"] != "present settings"
    settings = (project.folder / "config.toml").read_text(encoding="utf-8")
    assert f'estimator = "{rows[0]["estimator"]}"' in settings
    assert "folds = 4\n" in settings
    assert project.models() == []


def test_what_was_written_can_be_trained_and_is_in_force(project: Project) -> None:
    project.tool("compare", "--only", "logistic", "--write")
    assert project.run().code == 0
    (model,) = project.models()
    manifest = json.loads((model / "manifest.json").read_bytes())
    assert manifest["parameters"]["train"]["estimator"].endswith("LogisticRegression")
    again = project.tool("compare", "--only", "logistic", "--write")
    assert "config.toml stays: its own settings are the best." in again.out


def test_a_time_limit_is_told_and_what_has_no_place_is_refused(project: Project) -> None:
    late = project.tool("compare", "--only", "logistic", "--limit", "0.01s")
    assert (late.code, "not finished within 0.01 s" in late.err) == (65, True)
    unknown = project.tool("compare", "--only", "lasso")
    assert (unknown.code, "known are catboost, " in unknown.err) == (78, True)
    assert project.tool("compare", "--limit", "soon").code == 2


@pytest.mark.usefixtures("project")
def test_the_test_rows_are_not_opened_before_the_winner_is_known() -> None:
    workshop = workshop_of()
    split = workshop.splits.get(run_preprocess(workshop, Pins()).version)
    rows = split.file("test.csv").read_bytes()
    split.file("test.csv").unlink()
    compared = compare(workshop, split, race(workshop))
    assert [path.name for path in sorted(compared.folder.iterdir())] == [
        *("comparison.csv", "comparison.json", "comparison.png", "comparison.xlsx")
    ]
    with pytest.raises(ArtefactCorrupt, match=r"test\.csv"):
        meet_test_rows(workshop, compared)
    split.file("test.csv").write_bytes(rows)
    assert meet_test_rows(workshop, compared).rows == split.manifest.rows["test"]


def test_a_blend_meets_the_test_rows_as_the_chain_would_make_it(project: Project) -> None:
    workshop = workshop_of()
    split = workshop.splits.get(run_preprocess(workshop, Pins()).version)
    compared = compare(workshop, split, race(workshop))
    blended = next(one for one in compared.standings if one.showing.weights)
    first = replace(compared, standings=(blended,))
    found = meet_test_rows(workshop, first).metrics["auc"].value
    project.settings(
        (project.folder / "config.toml").read_text(encoding="utf-8").split("[train]")[0]
    )
    parameters = json.dumps(blended.showing.parameters).replace(": ", " = ").replace('"', "'")
    text = parameters.replace("{'", "{").replace(", '", ", ").replace("' =", " =")
    ran = project.run(
        *("--set", "train.estimator=blend", "--set", f"train.parameters={text}"),
        *("--set", "train.folds=4"),
    )
    assert ran.code == 0, ran.err
    (model,) = project.models()
    verdict = json.loads((model / "verdict.json").read_bytes())
    assert verdict["metrics"]["auc"] == pytest.approx(found, rel=1e-9)
    manifest = json.loads((model / "manifest.json").read_bytes())
    assert manifest["runtime"] == "sklearn"
    assert "lightgbm" in manifest["libraries"]


def test_what_was_trained_before_is_not_trained_again(project: Project) -> None:
    workshop = workshop_of()
    split = workshop.splits.get(run_preprocess(workshop, Pins()).version)
    first, second = (compare(workshop, split, race(workshop)) for _ in range(2))
    versions = [
        {version for one in found.standings for version in one.showing.versions}
        for found in (first, second)
    ]
    assert versions[0] == versions[1]
    models = {path.name for path in (project.folder / "var/comparisons/models").iterdir()}
    assert models == versions[0]
    compare(workshop_of("train.seed=1"), split, race(workshop_of("train.seed=1")))
    kept = {path.name for path in (project.folder / "var/comparisons/models").iterdir()}
    assert models < kept
    again = workshop_of("split.seed=1", "data.contract=new")
    split = again.splits.get(run_preprocess(again, Pins()).version)
    other = compare(again, split, race(again))
    left = {path.name for path in (project.folder / "var/comparisons/models").iterdir()}
    assert left == {version for one in other.standings for version in one.showing.versions}
    assert not left & kept


@pytest.mark.usefixtures("project")
def test_what_did_not_finish_is_in_the_table_and_nothing_at_all_is_an_error() -> None:
    workshop = workshop_of()
    split = workshop.splits.get(run_preprocess(workshop, Pins()).version)
    compared = compare(workshop, split, race(workshop, failing=["forest"]))
    text = (compared.folder / "comparison.csv").read_text(encoding="utf-8")
    assert "forest" in text
    assert "not finished within 1 s" in text
    with pytest.raises(DataError, match="forest: not finished"):
        compare(workshop, split, race(workshop, failing=["forest", "line", "present settings"]))


@pytest.mark.usefixtures("project")
def test_tracking_is_told_of_the_comparison_and_of_each_contender() -> None:
    told: list[RunRecord] = []
    workshop = replace(workshop_of(), record=told.extend)
    split = workshop.splits.get(run_preprocess(workshop, Pins()).version)
    compared = compare(workshop, split, race(workshop))
    tested = meet_test_rows(workshop, compared)
    tell(workshop, compared, tested)
    whole, *parts = told
    assert (whole.kind, whole.parent) == ("comparison", "")
    assert whole.metrics["test_auc"] == tested.metrics["auc"].value
    assert {path.name for path in whole.files} >= {"comparison.png", "winner-on-test-rows.json"}
    assert [part.tags["contender"] for part in parts] == [
        one.showing.name for one in compared.standings
    ]
    assert {part.parent for part in parts} == {whole.key}
    assert parts[0].metrics["auc"] == compared.winner.showing.pooled["auc"]
