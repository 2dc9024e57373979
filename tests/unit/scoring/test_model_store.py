"""A store that becomes complete or readable later is looked at again; what a model needs is installed."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from lightmodel.config import load
from lightmodel.errors import ArtefactMissing, NotPossible
from lightmodel.learners.compiled.trees import CompiledTrees
from lightmodel.scoring.model_store import ModelStoreView, serving_runtime
from lightmodel.store.manifest import Signer
from lightmodel.store.versions import Store, Version
from tests.fakes.project import Project
from tests.fakes.publishing import published_again
from tests.serve.conftest import trained_shop

__all__ = ["trained_shop"]


@pytest.fixture
def folder(trained_shop: Project, tmp_path: Path) -> Path:
    """A copy of the store that a test may damage."""
    shutil.copytree(trained_shop.folder / "model", tmp_path / "model")
    return tmp_path


def view_of(folder: Path) -> ModelStoreView:
    return ModelStoreView(load(None, [f"store.root={folder}"], {}).config)


def test_a_version_whose_file_arrives_late_is_served_then(folder: Path) -> None:
    view = view_of(folder)
    old = view.newest(None)
    new = published_again(folder, old.version)
    payload = folder / "model" / new / "contract.json"
    payload.rename(folder / "late")
    assert view.newest(old) is old
    state = view.state(old)
    assert view.state(old) == state
    (folder / "late").rename(payload)
    assert view.state(old) != state
    assert view.newest(old).version == new


@pytest.mark.parametrize("name", ["manifest.json", "verdict.json"])
def test_a_version_that_cannot_be_read_is_passed_over_until_it_can(
    folder: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    view = view_of(folder)
    (version,) = (folder / "model").iterdir()
    document = version / name
    document.rename(folder / "hidden")
    document.mkdir()  # root may read any file, but no folder
    with pytest.raises(ArtefactMissing, match="no approved model"):
        view.newest(None)
    assert f"{version.name}/{name} cannot be read" in caplog.text
    state = view.state(None)
    document.rmdir()
    (folder / "hidden").rename(document)
    assert view.state(None) != state
    assert view.newest(None).version == version.name


def version_of(folder: Path, name: str) -> Version:
    return Store(folder / "model", "model", Signer(None)).get(name)


@pytest.mark.compiler
@pytest.mark.parametrize(
    ("compiled", "code", "runtime", "needed"),
    [
        (True, "", "lightgbm", "compiled"),
        (False, "", "lightgbm", "lightgbm"),
        (True, "import numpy", "lightgbm", "compiled"),
        (True, "import lightgbm.basic", "lightgbm", "lightgbm"),
        (True, "", "sklearn", "sklearn"),
    ],
    ids=["compiled", "not compiled", "own code", "own code with LightGBM", "sklearn"],
)
def test_only_a_compiled_model_is_served_without_lightgbm(
    folder: Path, compiled: bool, code: str, runtime: str, needed: str
) -> None:
    (source,) = (path.name for path in (folder / "model").iterdir())
    files = {"code/own.py": code.encode()} if code else {}
    name = published_again(folder, source, compiled=compiled, files=files, runtime=runtime)
    assert serving_runtime(version_of(folder, name)) == needed


@pytest.fixture
def without_lightgbm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without LightGBM."""
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    for name in ("lightgbm", "boosting", "lean_lightgbm", "lightgbm_parameters", "tree_size"):
        monkeypatch.delitem(sys.modules, f"lightmodel.learners.{name}", raising=False)


@pytest.mark.compiler
@pytest.mark.usefixtures("without_lightgbm")
def test_a_model_whose_library_is_missing_is_passed_over_with_a_reason(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    view = view_of(folder)
    old = view.newest(None)
    new = published_again(folder, old.version, compiled=False)
    assert view.newest(old) is old
    assert f"{new} needs lightgbm, which is not installed here" in caplog.text
    assert "requirements/serve-lightgbm.txt" in caplog.text


@pytest.mark.usefixtures("without_lightgbm")
def test_without_another_model_the_missing_library_is_the_reason(folder: Path) -> None:
    (source,) = (path.name for path in (folder / "model").iterdir())
    new = published_again(folder, source, compiled=False)
    shutil.rmtree(folder / "model" / source)
    with pytest.raises(ArtefactMissing, match=f"{new} needs lightgbm") as caught:
        view_of(folder).newest(None)
    assert "--build-arg RUNTIME=lightgbm" in caught.value.hint


@pytest.mark.compiler
def test_a_model_compiled_without_contributions_is_explained_by_lightgbm(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CompiledTrees, "has_contributions", False)
    (name,) = (path.name for path in (folder / "model").iterdir())
    assert serving_runtime(version_of(folder, name)) == "lightgbm"


@pytest.mark.compiler
@pytest.mark.usefixtures("without_lightgbm")
def test_without_contributions_and_lightgbm_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CompiledTrees, "has_contributions", False)
    contribute = view_of(folder).newest(None).predictor.contribute
    assert contribute is not None
    with pytest.raises(NotPossible, match="needs lightgbm") as caught:
        contribute(np.zeros((1, 3)))
    assert "train the model again" in caught.value.hint
