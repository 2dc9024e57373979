"""`python -m lightmodel compare` as a user runs it, and which rows it reads."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from lightmodel.config import load
from lightmodel.errors import ArtefactCorrupt, DataError
from lightmodel.pipeline import RunContext
from lightmodel.pipeline.compare import (
    ComparisonResult,
    evaluate_on_test,
    rank_results,
    run_records,
    with_present,
)
from lightmodel.pipeline.entries import read_result, train_entry
from lightmodel.pipeline.preprocess import current_split
from lightmodel.progress import SilentProgress
from lightmodel.search.entries import Entry
from lightmodel.store.versions import Version
from tests.fakes.project import Project

FOREST = Entry(
    "forest", "sklearn.ensemble.RandomForestClassifier", {"n_estimators": 5, "max_depth": 3}
)
LINE = Entry("line", "sklearn.linear_model.LogisticRegression")


def comparisons(project: Project) -> list[Path]:
    return sorted(project.folder.glob("var/comparisons/2*"))


def context_of(*sets: str) -> RunContext:
    return RunContext(load(sets=sets).config, SilentProgress())


def compared_in_process(
    context: RunContext, split: Version, failing: Sequence[str] = ()
) -> ComparisonResult:
    """Train the entries in this process, one after the other, and compare them."""
    config = context.config
    entries, present = with_present((FOREST, LINE), config.train)
    trained = [
        read_result(config, one, train_entry(config, split.name, one))
        for one in entries
        if one.name not in failing
    ]
    left_out = dict.fromkeys(failing, "not finished within 1 s")
    return rank_results(context, split, trained, left_out, present, ensemble=True)


def test_the_winner_is_found_shown_kept_and_written(project: Project) -> None:
    words = ("--only", "logistic", "--only", "knn", "--ensemble", "--write", "--force", "--test")
    ran = project.tool("compare", *words)
    assert ran.code == 0, ran.err
    assert "test rows, read once" in ran.out
    assert "present settings" in ran.out
    (folder,) = comparisons(project)
    with (folder / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = {row["entry"] for row in rows}
    assert {"logistic", "knn", "present settings"} <= names
    means = [float(row["auc_mean"]) for row in rows]
    assert means == sorted(means, reverse=True)
    assert all(float(row["fit_seconds"]) > 0 and int(row["bytes"]) > 500 for row in rows)
    sheet = openpyxl.load_workbook(folder / "comparison.xlsx").worksheets[0]
    assert [cell.value for cell in sheet["B"][1:]] == [row["entry"] for row in rows]
    assert sheet["C2"].value == pytest.approx(means[0])
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    tested = json.loads((folder / "winner-on-test-rows.json").read_bytes())
    assert tested["winner"] == rows[0]["entry"] != "present settings"
    settings = (project.folder / "config.toml").read_text(encoding="utf-8")
    assert f'estimator = "{rows[0]["estimator"]}"' in settings
    assert "folds = 4\n" in settings
    assert project.models() == []


def test_no_test_row_is_read_unless_asked(project: Project) -> None:
    project.tool("compare", "--only", "logistic")
    (test_rows,) = project.folder.glob("preprocessed/*/test.csv")
    test_rows.unlink()
    ran = project.tool("compare", "--only", "logistic")
    assert ran.code == 0, ran.err
    assert "test rows" not in ran.out
    assert not list(comparisons(project)[-1].glob("winner-on-test-rows.json"))


def test_a_winner_within_the_noise_is_not_written(project: Project) -> None:
    file = project.folder / "config.toml"
    before = file.read_bytes()
    ran = project.tool("compare", "--only", "logistic", "--write")
    assert ran.code == 0, ran.err
    assert (
        "by no more than the noise between folds; add --force to write it nevertheless" in ran.out
    )
    assert file.read_bytes() == before


def test_what_was_written_can_be_trained_and_is_in_force(project: Project) -> None:
    project.tool("compare", "--only", "logistic", "--write", "--force")
    assert project.run().code == 0
    (model,) = project.models()
    manifest = json.loads((model / "manifest.json").read_bytes())
    assert manifest["parameters"]["train"]["estimator"].endswith("LogisticRegression")
    again = project.tool("compare", "--only", "logistic", "--write")
    assert "config.toml is unchanged: its settings are the best." in again.out


def test_an_exceeded_time_limit_and_invalid_options_are_errors(project: Project) -> None:
    late = project.tool("compare", "--only", "logistic", "--limit", "0.01s")
    assert (late.code, "not finished within 0.01 s" in late.err) == (65, True)
    unknown = project.tool("compare", "--only", "lasso")
    assert (unknown.code, "known are catboost, " in unknown.err) == (78, True)
    assert project.tool("compare", "--limit", "soon").code == 2


@pytest.mark.usefixtures("project")
def test_the_test_rows_are_not_opened_before_the_winner_is_known() -> None:
    context = context_of()
    split = current_split(context)
    rows = split.file("test.csv").read_bytes()
    split.file("test.csv").unlink()
    compared = compared_in_process(context, split)
    assert [path.name for path in sorted(compared.folder.iterdir())] == [
        *("comparison.csv", "comparison.json", "comparison.png", "comparison.xlsx")
    ]
    with pytest.raises(ArtefactCorrupt, match=r"test\.csv"):
        evaluate_on_test(context, compared)
    split.file("test.csv").write_bytes(rows)
    assert evaluate_on_test(context, compared).rows == split.manifest.rows["test"]


def test_a_blend_is_evaluated_on_test_rows_as_the_chain_would_fit_it(project: Project) -> None:
    context = context_of()
    split = current_split(context)
    compared = compared_in_process(context, split)
    blended = next(one for one in compared.ranking if one.result.weights)
    first = replace(compared, ranking=(blended,))
    auc = evaluate_on_test(context, first).metrics["auc"].value
    project.settings(
        (project.folder / "config.toml").read_text(encoding="utf-8").split("[train]")[0]
    )
    parameters = json.dumps(blended.result.parameters).replace(": ", " = ").replace('"', "'")
    text = parameters.replace("{'", "{").replace(", '", ", ").replace("' =", " =")
    ran = project.run(
        *("--set", "train.estimator=blend", "--set", f"train.parameters={text}"),
        *("--set", "train.folds=4"),
    )
    assert ran.code == 0, ran.err
    (model,) = project.models()
    verdict = json.loads((model / "verdict.json").read_bytes())
    assert verdict["metrics"]["auc"] == pytest.approx(auc, rel=1e-9)
    manifest = json.loads((model / "manifest.json").read_bytes())
    assert manifest["runtime"] == "sklearn"
    assert "lightgbm" in manifest["libraries"]


def test_what_was_trained_before_is_not_trained_again(project: Project) -> None:
    context = context_of()
    split = current_split(context)
    first, second = (compared_in_process(context, split) for _ in range(2))
    versions = [
        {version for one in comparison.ranking for version in one.result.versions}
        for comparison in (first, second)
    ]
    assert versions[0] == versions[1]
    models = {path.name for path in (project.folder / "var/comparisons/models").iterdir()}
    assert models == versions[0]
    compared_in_process(context_of("train.seed=1"), split)
    kept = {path.name for path in (project.folder / "var/comparisons/models").iterdir()}
    assert models < kept
    again = context_of("split.seed=1", "data.contract=new")
    other = compared_in_process(again, current_split(again))
    left = {path.name for path in (project.folder / "var/comparisons/models").iterdir()}
    assert left == {version for one in other.ranking for version in one.result.versions}
    assert not left & kept


@pytest.mark.usefixtures("project")
def test_what_did_not_finish_is_in_the_table_and_nothing_at_all_is_an_error() -> None:
    context = context_of()
    split = current_split(context)
    compared = compared_in_process(context, split, failing=["forest"])
    text = (compared.folder / "comparison.csv").read_text(encoding="utf-8")
    assert "forest" in text
    assert "not finished within 1 s" in text
    with pytest.raises(DataError, match="forest: not finished"):
        compared_in_process(context, split, failing=["forest", "line", "present settings"])


@pytest.mark.usefixtures("project")
def test_the_comparison_and_each_entry_are_tracked() -> None:
    context = context_of()
    split = current_split(context)
    compared = compared_in_process(context, split)
    untested, *_ = run_records(compared, None)
    assert untested.metrics == {}
    tested = evaluate_on_test(context, compared)
    whole, *parts = run_records(compared, tested)
    assert (whole.kind, whole.parent) == ("comparison", "")
    assert whole.metrics["test_auc"] == tested.metrics["auc"].value
    assert {path.name for path in whole.files} >= {"comparison.png", "winner-on-test-rows.json"}
    assert [part.tags["entry"] for part in parts] == [one.result.name for one in compared.ranking]
    assert {part.parent for part in parts} == {whole.key}
    assert parts[0].metrics["auc"] == compared.winner.result.pooled["auc"]
