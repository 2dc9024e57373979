"""A store that becomes complete or readable later is looked at again."""

import shutil
from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.errors import ArtefactMissing
from lightmodel.scoring.model_store import ModelStoreView
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
