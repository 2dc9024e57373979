"""Fixtures of every test: a clean environment and an empty working folder."""

import os
from pathlib import Path

import hypothesis
import pyarrow.csv as arrow_csv
import pytest

from tests.fakes.project import SETTINGS, Project, shop_table

# No example fails for being slow: the machine may be busy.
hypothesis.settings.register_profile("light-model", deadline=None)
hypothesis.settings.load_profile("light-model")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the machine's settings and the repository's folders from the test."""
    for name in list(os.environ):
        if name.startswith("LIGHTMODEL__"):
            monkeypatch.delenv(name)
    # MLflow takes seconds in each run: only its own tests set an address.
    monkeypatch.setenv("LIGHTMODEL__TRACKING__URI", "none")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project in a fresh folder with a small table and fast settings."""
    arrow_csv.write_csv(shop_table(), tmp_path / "shop.csv")
    made = Project(tmp_path)
    made.settings(SETTINGS)
    return made
