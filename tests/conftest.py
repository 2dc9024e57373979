"""What every test starts from: a clean environment and an empty working folder of its own."""

import os
from pathlib import Path

import hypothesis
import pyarrow.csv as arrow_csv
import pytest

from tests.fakes.project import SETTINGS, Project, shop_table

# A busy machine is slow now and then: no example fails for having taken long.
hypothesis.settings.register_profile("light-model", deadline=None)
hypothesis.settings.load_profile("light-model")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, and nothing of the repository's own folders, reaches a test."""
    for name in list(os.environ):
        if name.startswith("LIGHTMODEL__"):
            monkeypatch.delenv(name)
    # MLflow costs each run seconds: tests of it put their own address here.
    monkeypatch.setenv("LIGHTMODEL__TRACKING__URI", "none")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh folder with a small table and fast settings."""
    arrow_csv.write_csv(shop_table(), tmp_path / "shop.csv")
    made = Project(tmp_path)
    made.settings(SETTINGS)
    return made
