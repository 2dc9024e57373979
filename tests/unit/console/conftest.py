"""The real service on the shop's model, for the tests of the console."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lightmodel.config import Config, ConsoleSection, load
from tests.fakes.console import real_service
from tests.fakes.project import Project

KEY = "a-key-of-the-shop"


def shop_config(project: Project, folder: Path, *more: str) -> Config:
    """Return the configuration of a service on a project's model, with a log of its own."""
    sets = [
        f"store.root={project.folder}",
        f"store.work={folder / 'work'}",
        f"log.folder={folder / 'log'}",
        *more,
    ]
    return load(project.folder / "config.toml", sets, {}).config


@pytest.fixture(scope="session")
def service(trained_shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that needs no key and is strict; it is shared."""
    strict = ("serve.on_missing=refuse", "serve.on_out_of_range=refuse", "serve.max_body_mb=2")
    with real_service(
        shop_config(trained_shop, tmp_path_factory.mktemp("service"), *strict)
    ) as url:
        yield url


@pytest.fixture(scope="session")
def locked(trained_shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that needs a key."""
    folder = tmp_path_factory.mktemp("locked")
    config = shop_config(trained_shop, folder)
    environ = {"LIGHTMODEL__SERVE__API_KEYS": KEY}
    keys = load(None, [], environ).config.serve.api_keys
    serve = config.serve.model_copy(update={"api_keys": keys})
    with real_service(config.model_copy(update={"serve": serve})) as url:
        yield url


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service without a model."""
    folder = tmp_path_factory.mktemp("empty")
    sets = [f"store.root={folder}", f"store.work={folder}", f"log.folder={folder / 'log'}"]
    with real_service(load(None, sets, {}).config) as url:
        yield url


@pytest.fixture
def settings(service: str, tmp_path: Path) -> ConsoleSection:
    """The console's settings for the service that needs no key."""
    return ConsoleSection(service_url=service, folder=tmp_path / "answers", timeout_s=60)
