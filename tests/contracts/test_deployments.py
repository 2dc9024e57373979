"""The contract of every `Deployment`: on a Docker host, and on a fake Azure that starts the images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from lightmodel.config import load
from lightmodel.delivery.azure_app_service import open_app_service
from lightmodel.delivery.base import Deployment
from lightmodel.delivery.docker_host import open_docker_host
from lightmodel.errors import ArtefactMissing, ConfigError, DeployFailed
from tests.e2e.conftest import host, images, service
from tests.fakes.azure import azure
from tests.fakes.docker_engine import ANSWERS_WRONGLY, ENDS_AT_ONCE, IMAGE, Deployments, variant

__all__ = ["host", "images", "service"]
pytestmark = [pytest.mark.docker, pytest.mark.appservice]


@dataclass(frozen=True)
class Subject:
    """A deployment under test; `running` returns the image that runs there, or ""."""

    deployment: Deployment
    running: Callable[[], str]


@pytest.fixture(params=["docker host", "app service"])
def subject(
    request: pytest.FixtureRequest,
    service: Deployments,
    host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Subject]:
    if request.param == "docker host":
        settings = [f"deploy.name={service.name}", f"deploy.port={service.port}"]
        settings += ["deploy.watch_s=1", "deploy.ready_timeout_s=120", "deploy.keep_images=50"]
        config = load(None, settings, {}).config
        yield Subject(open_docker_host(config), lambda: service.images().get(service.live(), ""))
        return
    with azure(tmp_path / "azure", host) as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        config = load(None, ["azure.start_timeout_s=30"]).config
        yield Subject(
            open_app_service(config), lambda: next((p.image for p in cloud.places.values()), "")
        )


def test_an_image_is_deployed_and_deploying_it_again_changes_nothing(subject: Subject) -> None:
    first = subject.deployment.deploy(IMAGE)
    assert first.changed
    assert "sha256:" in first.image
    answer = requests.get(f"{first.address}/ready", timeout=30)
    assert answer.json() == {"status": "ready", "version": first.version}
    running = subject.running()
    again = subject.deployment.deploy(IMAGE)
    assert (again.changed, again.version, again.image) == (False, first.version, first.image)
    assert subject.running() == running


@pytest.mark.parametrize("wrong", [ENDS_AT_ONCE, ANSWERS_WRONGLY], ids=["ends", "answers wrongly"])
def test_a_version_that_fails_leaves_the_old_one_serving(subject: Subject, wrong: str) -> None:
    first = subject.deployment.deploy(IMAGE)
    running = subject.running()
    with pytest.raises(DeployFailed):
        subject.deployment.deploy(variant("failing", wrong))
    assert subject.running() == running
    assert requests.get(f"{first.address}/ready", timeout=30).ok


def test_rollback_brings_back_the_image_before_and_there_must_be_one(subject: Subject) -> None:
    subject.deployment.deploy(IMAGE)
    for roll_back in (subject.deployment.plan_rollback, subject.deployment.rollback):
        with pytest.raises(ArtefactMissing):
            roll_back()
    first = subject.running()
    subject.deployment.deploy(variant("second"))
    assert subject.running() != first
    second = subject.running()
    plan = subject.deployment.plan_rollback()
    assert any("sample rows" in line for line in plan)
    assert first.removeprefix("sha256:") in "".join(plan)
    assert subject.running() == second
    assert subject.deployment.rollback().changed
    assert subject.running() == first


def test_a_plan_lists_the_steps_and_changes_nothing(subject: Subject) -> None:
    lines = subject.deployment.plan(IMAGE)
    assert any("sample rows" in line for line in lines)
    assert subject.running() == ""


def test_a_missing_image_is_refused(subject: Subject) -> None:
    with pytest.raises(ConfigError, match="there is no image"):
        subject.deployment.deploy("light-model-of-nobody")
