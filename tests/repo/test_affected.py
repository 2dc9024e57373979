"""The quick checks of a push run those tests that its changes can affect, and no others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.affected import ROOT, affected

FOLDERS = [Path("tests", "unit", name) for name in ("config", "contract", "training")]
ALL = affected(["config.toml"], FOLDERS)
# Says at the end of a test run which modules of the package it has loaded.
PLUGIN = """
import sys

def pytest_sessionfinish():
    print("loaded", *(name for name in sys.modules if name.startswith("lightmodel")))
"""


def names(*changed: str) -> set[str]:
    return {path.name for path in affected(changed, FOLDERS)}


def test_a_change_affects_the_tests_that_import_it_directly_or_not() -> None:
    assert "test_metrics.py" in names("lightmodel/training/metrics.py")
    assert "test_gate.py" in names("lightmodel/errors.py")
    assert "test_training_and_testing.py" in names("tests/fakes/tables.py")
    assert "test_metrics.py" not in names("lightmodel/training/gate.py")


def test_a_change_outside_their_reach_affects_only_what_starts_commands() -> None:
    assert names("lightmodel/service/templates/base.html") == {"test_reference.py"}
    assert names() == {"test_reference.py"}


@pytest.mark.parametrize(
    "name",
    ["config.toml", "requirements.txt", "tests/conftest.py", "docs/own-code.md", "everything"],
)
def test_a_change_of_what_nobody_imports_affects_all(name: str) -> None:
    assert affected([name, "lightmodel/errors.py"], FOLDERS) == ALL
    assert len(ALL) == sum(len(list((ROOT / folder).glob("test_*.py"))) for folder in FOLDERS)


def test_what_is_gone_and_what_is_data_count_as_their_package() -> None:
    assert names("lightmodel/training/no_more.py") == names("lightmodel/training/__init__.py")
    assert names("lightmodel/tables/rows.c") == names("lightmodel/tables/__init__.py")
    assert names("lightmodel/training/no_more.py") > names("lightmodel/training/gate.py")


@pytest.mark.parametrize("test", [FOLDERS[0] / "test_sections.py", FOLDERS[2] / "test_gate.py"])
def test_each_module_that_a_test_loads_affects_it(test: Path, tmp_path: Path) -> None:
    plugin = "say_what_is_loaded"
    (tmp_path / f"{plugin}.py").write_text(PLUGIN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-qs", *("-p", "no:cacheprovider"), *("-p", plugin), test],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = done.stdout.rpartition("loaded lightmodel ")[2].splitlines()[0].split()
    assert len(loaded) > 5
    for module in loaded:
        file = ROOT / module.replace(".", "/")
        path = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        assert test in affected([str(path.relative_to(ROOT))], FOLDERS), module
