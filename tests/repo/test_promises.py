"""Promises of the repository about its errors, help, imports and pins."""

import ast
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from click import Context
from packaging.requirements import Requirement

import lightmodel
from lightmodel import errors
from lightmodel.cli import EXIT_CODES, MEANINGS
from lightmodel.cli.run import STAGES, run
from lightmodel.config import GateSection
from lightmodel.contract.task import METRICS
from lightmodel.pipeline import CHAIN
from lightmodel.service import STATUS
from tests.fakes.requirements import pins_of

ROOT = Path(__file__).parents[2]
MODULES = [module.name for module in pkgutil.walk_packages(lightmodel.__path__, "lightmodel.")]
CLEAN = """
import builtins, importlib, json, os, sys
os.environ.clear()
before = set(os.listdir("."))
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
import logging
assert set(os.listdir(".")) == before, "importing wrote files"
assert not logging.getLogger().handlers, "importing configured logging"
"""


def all_errors(kind: type[errors.LightModelError] = errors.LightModelError) -> set[type]:
    return {kind, *(one for child in kind.__subclasses__() for one in all_errors(child))}


def test_every_error_has_an_exit_code_and_a_status() -> None:
    known = all_errors() - {errors.LightModelError}
    assert set(EXIT_CODES) == known | ({errors.LightModelError} & set(EXIT_CODES))
    assert set(STATUS) == set(EXIT_CODES)
    assert set(EXIT_CODES.values()) <= set(MEANINGS)


def test_the_command_line_names_the_chains_stages_in_order() -> None:
    assert tuple(stage.name for stage in CHAIN) == STAGES
    for name in STAGES:
        assert (ROOT / f"{name}.py").exists()


def test_the_readme_and_the_help_name_what_the_chain_does() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\<", "<")
    rows = re.findall(r"^\| (\w+) \| (.+?) \| (.+?) \|$", readme.replace("\\>", ">"), re.MULTILINE)
    assert [row for row in rows if row[0] in STAGES] == [
        (stage.name, stage.reads, stage.writes) for stage in CHAIN
    ]
    usage = run.get_help(Context(run))
    assert all(name in usage for name in STAGES)


def test_the_settings_know_every_metric() -> None:
    for name in METRICS:
        assert GateSection(metric=name).metric == name


def test_importing_the_package_opens_nothing_and_configures_nothing(tmp_path: Path) -> None:
    # The console needs Streamlit (tests/unit/console/test_app.py), and the flows Prefect (tests/chain).
    in_prefects = ("flows", "server", "supervisor")
    elsewhere = ("lightmodel.console", *(f"lightmodel.flows.{name}" for name in in_prefects))
    names = [
        name for name in MODULES if name != "lightmodel.__main__" and not name.startswith(elsewhere)
    ]
    done = subprocess.run(
        [sys.executable, "-c", CLEAN, json.dumps(names)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_doors_define_nothing() -> None:
    for name in ("run", "preprocess", "train", "testing", "app"):
        tree = ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8"))
        kinds = (ast.FunctionDef, ast.ClassDef, ast.Assign)
        assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_help_and_settings_load_no_library_of_the_chain() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lightmodel", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(re.findall(r"\| +(\w+)$", done.stderr, re.MULTILINE))
    assert not loaded & {"pandas", "pyarrow", "lightgbm", "sklearn", "matplotlib", "flask"}


PINS = [
    pin
    for text, _ in pins_of(ROOT / "requirements.txt")
    if (pin := Requirement(text)).marker is None or pin.marker.evaluate()
]


@cache
def modules_by_package() -> dict[str, list[str]]:
    """Return the importable names of each installed package, read once: that takes seconds."""
    modules: dict[str, list[str]] = {}
    for module, names in metadata.packages_distributions().items():
        for name in names:
            modules.setdefault(name.lower(), []).append(module)
    return modules


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.name)
def test_a_pin_is_what_is_installed_and_imports(pin: Requirement) -> None:
    assert str(pin.specifier) == f"=={metadata.version(pin.name)}"
    for module in modules_by_package().get(pin.name.lower(), ()):
        if not module.startswith(("_", "test")) and module.isidentifier():
            importlib.import_module(module)


def test_what_is_installed_fits_together() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_nothing_names_a_machine_or_a_registry() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    pattern = re.compile(
        r"(files\.pythonhosted|pypi\.org/simple|registry\.npmjs|/(home|root|work)/\w)"
    )
    offences = [
        name
        for name in tracked
        if (ROOT / name).is_file()
        and name != "tests/repo/test_promises.py"
        and pattern.search((ROOT / name).read_text(encoding="utf-8", errors="replace"))
    ]
    assert not offences
