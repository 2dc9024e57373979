"""What every test starts from: a clean environment and an empty working folder of its own."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, and nothing of the repository's own folders, reaches a test."""
    for name in list(os.environ):
        if name.startswith("LIGHTMODEL__"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
