"""Fixtures of every test: a clean environment and an empty working folder."""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.fakes.project import COMPILED, SETTINGS, Project, approved_project, shop_project
from tests.fakes.tracing import pause_tracing_in_libraries

# No example fails for being slow: the machine may be busy.
hypothesis.settings.register_profile("light-model", deadline=None)
hypothesis.settings.load_profile("light-model")


def pytest_collection_finish() -> None:
    """Spare the search for garbage the tests themselves and all that they import, which stay to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """Hide the machine's settings from all tests, and from the fixtures that tests share."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("LIGHTMODEL__"):
                patch.delenv(name)
        # MLflow takes seconds in each run: only its own tests set an address.
        patch.setenv("LIGHTMODEL__TRACKING__URI", "none")
        yield


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Let processes of tests be interrupted: what a shell starts with `&` ignores SIGINT at first."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cheap_coverage() -> None:
    if sys.gettrace():
        pause_tracing_in_libraries()


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the repository's folders from the test."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with an approved model of that table; not to be changed."""
    return approved_project(tmp_path_factory.mktemp("shop"), SETTINGS)


@pytest.fixture(scope="session")
def compiled_shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the same with a compiled model, where there is a C compiler; not to be changed."""
    return approved_project(tmp_path_factory.mktemp("compiled-shop"), COMPILED)


@pytest.fixture(scope="session")
def split_shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a split of that table, and no model; not to be changed."""
    project = shop_project(tmp_path_factory.mktemp("split-shop"), SETTINGS)
    ran = project.run("preprocess")
    assert ran.code == 0, ran.err
    return project


@pytest.fixture
def approved(trained_shop: Project, tmp_path: Path) -> Project:
    """Return a copy of the project with an approved model, for tests that change it."""
    logs = shutil.ignore_patterns("log", "server-*.log")  # of other tests' servers
    shutil.copytree(trained_shop.folder, tmp_path, dirs_exist_ok=True, ignore=logs)
    return Project(tmp_path)


@pytest.fixture
def preprocessed(split_shop: Project, tmp_path: Path) -> Project:
    """Return a copy of the project with a split, for tests of what comes after it."""
    shutil.copytree(split_shop.folder, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project in a fresh folder with a small table and fast settings."""
    return shop_project(tmp_path, SETTINGS)
