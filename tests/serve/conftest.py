"""A server with a model, shared by all tests that only send requests."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fakes.project import Project
from tests.fakes.server import serving
from tests.serve.tables.models import Models


@dataclass(frozen=True)
class Shop:
    """A running service on the shop's model."""

    address: str
    project: Project


@pytest.fixture(scope="session")
def trained_shop(compiled_shop: Project) -> Project:
    """A folder with an approved model, compiled as most are that are served; not to be changed."""
    return compiled_shop


@pytest.fixture(scope="session")
def shop(trained_shop: Project) -> Iterator[Shop]:
    """That model, served with small limits, so that tests reach them, and strictly."""
    limits = {
        "LIGHTMODEL__SERVE__ON_MISSING": "refuse",
        "LIGHTMODEL__SERVE__ON_OUT_OF_RANGE": "refuse",
        "LIGHTMODEL__SERVE__MAX_BODY_MB": "8",
        "LIGHTMODEL__SERVE__MAX_BUFFERED_MB": "2",
        "LIGHTMODEL__SERVE__MAX_ROWS": "28000",
        "LIGHTMODEL__SERVE__MAX_COLUMNS": "5000",
        "LIGHTMODEL__SERVE__READ_TIMEOUT_S": "2",
    }
    with serving(trained_shop, **limits) as address:
        yield Shop(address, trained_shop)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Models of small tables, trained when a test first asks for them."""
    return Models(tmp_path_factory)
