"""The service as it runs, on the shop's model, for the tests of the console."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lightmodel.config import ConsoleSection
from tests.fakes.project import Project
from tests.fakes.server import serving_untraced

KEY = "a-key-of-the-shop"


@pytest.fixture(scope="session")
def service(trained_shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that needs no key and is strict; it is shared."""
    strict = {
        "LIGHTMODEL__SERVE__ON_MISSING": "refuse",
        "LIGHTMODEL__SERVE__ON_OUT_OF_RANGE": "refuse",
        "LIGHTMODEL__SERVE__MAX_BODY_MB": "2",
        "LIGHTMODEL__LOG__FOLDER": str(tmp_path_factory.mktemp("log")),
    }
    with serving_untraced(trained_shop, **strict) as url:
        yield url


@pytest.fixture(scope="session")
def locked(trained_shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that needs a key."""
    folder = str(tmp_path_factory.mktemp("log"))
    keys = {"LIGHTMODEL__SERVE__API_KEYS": KEY, "LIGHTMODEL__LOG__FOLDER": folder}
    with serving_untraced(trained_shop, **keys) as url:
        yield url


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service without a model."""
    project = Project(tmp_path_factory.mktemp("empty"))
    project.settings("")
    with serving_untraced(project) as url:
        yield url


@pytest.fixture
def settings(service: str, tmp_path: Path) -> ConsoleSection:
    """The console's settings for the service that needs no key."""
    return ConsoleSection(service_url=service, folder=tmp_path / "answers", timeout_s=60)
