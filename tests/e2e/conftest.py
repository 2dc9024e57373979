"""Fixtures: the shop's service for client programs, and the images for a Docker engine."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.fakes.aws import Aws, aws, digests_at
from tests.fakes.azure import registry
from tests.fakes.clouds import moto
from tests.fakes.docker_engine import IMAGE, Deployments, build
from tests.fakes.lambda_image import LAMBDA, functions
from tests.serve.conftest import shop, trained_shop

__all__ = ["shop", "trained_shop"]


@pytest.fixture(scope="session")
def images() -> Iterator[str]:
    """Build the serving, pipeline and proxy images of this tree, and yield the serving image's name."""
    facts = ("--build-arg", "COMMIT=c0ffee", "--build-arg", "VERSION=7")
    build("--target", "pipeline", *facts, "-t", f"{IMAGE}-pipeline")
    build("--target", "proxy", "-t", "light-model-proxy")
    build(*facts, "-t", IMAGE)
    yield IMAGE
    client = docker.from_env()
    for image in client.images.list(f"{IMAGE}*"):
        for tag in image.tags:
            if tag.startswith(IMAGE):  # an image may have names for other purposes
                client.images.remove(tag, force=True)


@pytest.fixture(scope="session")
def lambda_image(images: str) -> str:
    """Build the image for AWS Lambda, and yield its name."""
    assert images  # its layers are used again, and it is removed with them
    build("--target", "lambda", "--build-arg", "COMMIT=c0ffee", "-t", LAMBDA)
    return LAMBDA


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Yield the address of moto's server."""
    with moto() as address:
        yield address


@pytest.fixture
def account(lambda_image: str, host: str, moto_server: str) -> Iterator[Aws]:
    """Yield a fake AWS whose function runs its images, which it has from the registry at `host`."""
    assert lambda_image
    with functions() as run, aws(moto_server, host, run, digests_at(host)) as state:
        yield state


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a container registry: the engine packs each layer once for all tests."""
    with registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture
def service(images: str, tmp_path: Path) -> Iterator[Deployments]:
    """Yield a service for this test alone that is not deployed yet."""
    assert images
    made = Deployments(tmp_path, f"lm-{tmp_path.name[-12:].strip('-_')}".lower().replace("_", "-"))
    made.clean()
    yield made
    made.clean()
