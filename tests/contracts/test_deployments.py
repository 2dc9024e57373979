"""The contract of every `Deployment`: a Docker host, and fakes of Azure and AWS that start the images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lightmodel.config import load
from lightmodel.delivery.aws import open_aws
from lightmodel.delivery.azure_app_service import open_app_service
from lightmodel.delivery.base import Deployment
from lightmodel.delivery.docker_host import open_docker_host
from lightmodel.errors import ArtefactMissing, ConfigError, DeployFailed
from tests.e2e.conftest import account, host, images, lambda_image, moto_server, service
from tests.fakes.aws import Aws
from tests.fakes.azure import azure
from tests.fakes.docker_engine import ANSWERS_WRONGLY, ENDS_AT_ONCE, IMAGE, Deployments, variant
from tests.fakes.lambda_image import LAMBDA

__all__ = ["account", "host", "images", "lambda_image", "moto_server", "service"]
pytestmark = [pytest.mark.docker, pytest.mark.appservice, pytest.mark.aws]


@dataclass(frozen=True)
class Subject:
    """A deployment under test.

    Attributes:
        running: returns the image that runs there, or "".
        version: returns the version of the model that answers.
        image: that it deploys; variants are built on top of it.
    """

    deployment: Deployment
    running: Callable[[], str]
    version: Callable[[], str]
    image: str = IMAGE


@pytest.fixture(params=["docker host", "app service", "lambda"])
def subject(
    request: pytest.FixtureRequest,
    service: Deployments,
    host: str,
    account: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Subject]:
    if request.param == "docker host":
        settings = [f"deploy.name={service.name}", f"deploy.port={service.port}"]
        settings += ["deploy.watch_s=1", "deploy.ready_timeout_s=120", "deploy.keep_images=50"]
        config = load(None, settings, {}).config
        yield Subject(
            open_docker_host(config),
            lambda: service.images().get(service.live(), ""),
            service.version,
        )
        return
    if request.param == "lambda":
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        config = load(None, ["aws.watch_s=0"]).config
        yield Subject(open_aws(config), account.running, account.version, LAMBDA)
        return
    with azure(tmp_path / "azure", host) as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        config = load(None, ["azure.start_timeout_s=30"]).config
        yield Subject(
            open_app_service(config),
            lambda: next((place.image for place in cloud.places.values()), ""),
            cloud.version,
        )


def test_an_image_is_deployed_and_deploying_it_again_changes_nothing(subject: Subject) -> None:
    first = subject.deployment.deploy(subject.image)
    assert first.changed
    assert "sha256:" in first.image
    assert subject.version() == first.version
    running = subject.running()
    again = subject.deployment.deploy(subject.image)
    assert (again.changed, again.version, again.image) == (False, first.version, first.image)
    assert subject.running() == running


@pytest.mark.parametrize("wrong", [ENDS_AT_ONCE, ANSWERS_WRONGLY], ids=["ends", "answers wrongly"])
def test_a_version_that_fails_leaves_the_old_one_serving(subject: Subject, wrong: str) -> None:
    first = subject.deployment.deploy(subject.image)
    running = subject.running()
    with pytest.raises(DeployFailed):
        subject.deployment.deploy(variant("failing", wrong, subject.image))
    assert subject.running() == running
    assert subject.version() == first.version


def test_rollback_brings_back_the_image_before_and_there_must_be_one(subject: Subject) -> None:
    subject.deployment.deploy(subject.image)
    for roll_back in (subject.deployment.plan_rollback, subject.deployment.rollback):
        with pytest.raises(ArtefactMissing):
            roll_back()
    first = subject.running()
    subject.deployment.deploy(variant("second", base=subject.image))
    assert subject.running() != first
    second = subject.running()
    plan = subject.deployment.plan_rollback()
    assert any("sample rows" in line for line in plan)
    assert first.removeprefix("sha256:") in "".join(plan)
    assert subject.running() == second
    assert subject.deployment.rollback().changed
    assert subject.running() == first


def test_a_plan_lists_the_steps_and_changes_nothing(subject: Subject) -> None:
    lines = subject.deployment.plan(subject.image)
    assert any("sample rows" in line for line in lines)
    assert subject.running() == ""


def test_a_missing_image_is_refused(subject: Subject) -> None:
    with pytest.raises(ConfigError, match="there is no image"):
        subject.deployment.deploy("light-model-of-nobody")
