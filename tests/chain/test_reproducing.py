"""A model is reproduced from its manifest, by `python -m lightmodel reproduce`."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.csv as arrow_csv
import pytest

from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store
from tests.fakes.project import SETTINGS, Project
from tests.fakes.tables import shop_table

SAME = "identical, byte for byte"
POOR = ["--set", "train.parameters={max_rounds = 3, learning_rate = 0.3}"]


@pytest.fixture
def trained(trained_shop: Project, tmp_path: Path) -> Project:
    """Return a copy of a project with one approved model."""
    shutil.copytree(trained_shop.folder, tmp_path / "project")
    return Project(tmp_path / "project")


def state_of(project: Project) -> dict[str, bytes]:
    folders = (project.folder / "model", project.folder / "preprocessed")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


def rewritten(project: Project, change: Callable[[dict[str, Any]], object]) -> str:
    """Change the manifest of the only model, and return the version's name."""
    (folder,) = project.models()
    content = json.loads((folder / "manifest.json").read_bytes())
    change(content)
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return folder.name


def without_split(project: Project) -> None:
    (project.folder / "preprocessed").rename(project.folder / "elsewhere")


def test_a_model_is_made_again_byte_for_byte_whatever_the_settings_are_now(
    trained: Project,
) -> None:
    trained.settings(
        '[data]\nsource = "another.csv"\ntarget = "age"\n'
        '[train]\nestimator = "sklearn.svm.SVC"\nfolds = 2\n[split]\nseed = 7\n'
    )
    before = state_of(trained)
    (made,) = trained.models()
    ran = trained.tool("reproduce", made.name[:18], PYTHONHASHSEED="1")
    assert (ran.code, SAME in ran.out) == (0, True), ran.out + ran.err
    assert state_of(trained) == before


def test_without_its_split_the_table_is_split_again(project: Project) -> None:
    assert project.run("--set", "split.method=group:where").code == 0
    without_split(project)
    ran = project.tool("reproduce", project.models()[0].name)
    assert (ran.code, SAME in ran.out) == (0, True), ran.out + ran.err
    assert not (project.folder / "preprocessed").exists()


def test_a_model_with_the_contract_of_an_earlier_one_is_reproduced_without_that_one(
    project: Project,
) -> None:
    project.settings(SETTINGS + "max_regression = 1\n")
    assert project.run().code == 0
    arrow_csv.write_csv(shop_table(seed=1), project.folder / "shop.csv")
    assert project.run().code == 0
    without_split(project)
    older, newer = project.models()
    ran = project.tool("reproduce", newer.name)
    assert (ran.code, SAME in ran.out) == (0, True), ran.out + ran.err
    ran = project.tool("reproduce", older.name)
    assert (ran.code, "is not available unchanged" in ran.err) == (65, True)
    sha256 = json.loads((older / "manifest.json").read_bytes())["inputs"]["sha256"]
    assert sha256 in ran.err


def test_a_damaged_split_is_made_again(trained: Project) -> None:
    (trained.splits()[0] / "train.csv").write_bytes(b"other rows")
    ran = trained.tool("reproduce", trained.models()[0].name)
    assert (ran.code, SAME in ran.out) == (0, True), ran.out + ran.err


def test_the_winner_of_a_retry_is_made_again(project: Project) -> None:
    ran = project.run(*POOR, "--set", "gate.minimum=0.815", "--set", "train.retry=1")
    assert ran.code == 0, ran.err
    winner = project.models()[1]
    assert "retry_of" in json.loads((winner / "manifest.json").read_bytes())["inputs"]
    ran = project.tool("reproduce", winner.name)
    assert (ran.code, SAME in ran.out) == (0, True), ran.out + ran.err


def test_a_model_of_scikit_learn_is_made_again(project: Project) -> None:
    estimator = ["--set", "train.estimator=sklearn.linear_model.LogisticRegression"]
    assert project.run(*estimator, "--set", "train.parameters={C = 0.5}").code == 0
    ran = project.tool("reproduce", project.models()[0].name)
    assert (ran.code, SAME in ran.out) == (0, True), ran.out + ran.err


def test_other_parameters_are_named_with_the_tree_that_differs(trained: Project) -> None:

    def change(manifest: dict[str, Any]) -> None:
        manifest["parameters"]["train"]["parameters"]["learning_rate"] = 0.01

    ran = trained.tool("reproduce", rewritten(trained, change))
    assert (ran.code, "differs from" in ran.err) == (12, True)
    assert "parameter learning_rate: " in ran.out
    assert "model: before the first tree, line" in ran.out or "model: tree 0, line" in ran.out
    assert "samples: 5 of 5 rows" in ran.out


def test_every_difference_is_reported_with_the_commit_to_check_out(
    trained: Project,
) -> None:

    def change(manifest: dict[str, Any]) -> None:
        manifest["parameters"]["train"]["seed"] = 3
        manifest["commit"] = "0123abcd-dirty"
        manifest["libraries"]["lightgbm"] = "3.0.0"
        manifest["libraries"]["gone"] = "1.0"
        manifest["inputs"]["machine"] |= {"processor": "Abacus", "python": "3.4.1"}
        manifest["fingerprint"] = manifest["fingerprint"].replace("code=", "code=f")

    ran = trained.tool("reproduce", rewritten(trained, change))
    assert ran.code == 12
    for line in (
        "code: the sources",
        "git commit: 0123abcd-dirty originally",
        "library lightgbm: 3.0.0 originally, 4",
        "library gone: 1.0 originally, none here",
        "processor: Abacus originally",
        "python: 3.4.1 originally, 3.",
    ):
        assert f"\n  {line}" in ran.out
    assert "git checkout 0123abcd`" in ran.err
    assert "uncommitted changes" in ran.err


def test_changed_libraries_are_reported_with_the_pinned_requirements(
    trained: Project,
) -> None:

    def change(manifest: dict[str, Any]) -> None:
        manifest["parameters"]["train"]["seed"] = 3
        manifest["libraries"]["lightgbm"] = "3.0.0"
        del manifest["inputs"]["machine"]  # earlier versions of light-model did not write it

    name = rewritten(trained, change)
    ran = trained.tool("reproduce", name)
    assert (ran.code, f"model/{name}/requirements.txt" in ran.err) == (12, True)


def test_an_irreproducible_version_and_a_missing_one_are_different_errors(trained: Project) -> None:
    (made,) = trained.models()
    ran = trained.tool("reproduce", "1999")
    assert (ran.code, "models pull 1999" in ran.err) == (66, True)
    stray = trained.folder / "model" / "stray.joblib"
    stray.write_bytes((made / "model.joblib").read_bytes())
    trained.tool("models", "adopt", str(stray))
    ran = trained.tool("reproduce", trained.models()[1].name)
    assert (ran.code, "was adopted" in ran.err) == (78, True)

    def change(manifest: dict[str, Any]) -> None:
        manifest["parameters"]["train"]["unheard_of"] = 1

    content = json.loads((made / "manifest.json").read_bytes())
    change(content)
    (made / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    ran = trained.tool("reproduce", made.name)
    assert (ran.code, "settings that are not known here" in ran.err) == (78, True)
    (made / "model.joblib").write_bytes(b"")
    assert trained.tool("reproduce", made.name).code == 74


def test_a_different_split_is_reported(trained: Project) -> None:
    without_split(trained)

    def change(manifest: dict[str, Any]) -> None:
        manifest["parameters"]["split"]["seed"] = 9

    ran = trained.tool("reproduce", rewritten(trained, change))
    assert (ran.code, "the training rows" in ran.out) == (12, True), ran.err


def test_the_split_is_found_by_hash_and_not_by_name(trained: Project) -> None:
    """A split with the same name but other rows is not used."""
    (model,) = trained.models()
    inputs = json.loads((model / "manifest.json").read_bytes())["inputs"]
    store = Store(trained.folder / "preprocessed", "split", Signer(None))
    train = store.get(inputs["split"]).file("train.csv")
    assert hashlib.sha256(train.read_bytes()).hexdigest() == inputs["train_sha256"]
    lines = train.read_bytes().splitlines(keepends=True)
    train.write_bytes(b"".join(lines[:-1]))
    manifest = train.with_name("manifest.json")
    content = json.loads(manifest.read_bytes())
    shorter = train.read_bytes()
    content["files"]["train.csv"] = {
        "size": len(shorter),
        "sha256": hashlib.sha256(shorter).hexdigest(),
    }
    manifest.write_text(json.dumps(content), encoding="utf-8")
    ran = trained.tool("reproduce", model.name)
    assert (ran.code, "read shop.csv" in ran.err) == (0, True), ran.err
