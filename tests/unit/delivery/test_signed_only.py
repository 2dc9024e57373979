"""Deployments that refuse what is not signed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from lightmodel.config import DeploySection
from lightmodel.delivery.base import DeploymentResult
from lightmodel.delivery.signatures import sign
from lightmodel.delivery.signed_only import signed_only
from lightmodel.errors import ArtefactCorrupt
from tests.fakes.engine import Engine, Image
from tests.fakes.signing import make_keys

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image as DockersImage


@dataclass
class Inner:
    """A deployment that only keeps what it was asked for."""

    engine: Engine
    calls: list[str] = field(default_factory=list)

    @property
    def client(self) -> "DockerClient":
        return cast("DockerClient", self.engine)

    def plan(self, image: str) -> list[str]:
        self.calls.append(f"plan {image}")
        return ["start it"]

    def deploy(self, image: str) -> DeploymentResult:
        self.calls.append(f"deploy {image}")
        return DeploymentResult(image, "2026", "http://here", changed=True)

    def plan_rollback(self) -> list[str]:
        self.calls.append("plan rollback")
        return ["go back"]

    def rollback(self) -> DeploymentResult:
        self.calls.append("rollback")
        return DeploymentResult("before", "2025", "http://here", changed=True)


@pytest.fixture
def inner() -> Inner:
    return Inner(Engine({"shop": Image(b"{}", {})}))


def test_without_the_setting_nothing_is_checked(inner: Inner) -> None:
    assert signed_only(inner, DeploySection()) is inner


def test_an_unsigned_image_reaches_no_deployment(inner: Inner, tmp_path: Path) -> None:
    deployment = signed_only(inner, make_keys(tmp_path).settings())
    for ask in (deployment.plan, deployment.deploy):
        with pytest.raises(ArtefactCorrupt, match=r"shop .* has no valid signature"):
            ask("shop")
    assert inner.calls == []


def test_a_signed_image_is_deployed_by_the_id_that_was_checked(
    inner: Inner, tmp_path: Path
) -> None:
    keys, image = make_keys(tmp_path), inner.engine.known["shop"]
    lines = sign(cast("DockersImage", image), "shop", keys.settings())
    deployment = signed_only(inner, keys.settings(*lines))
    assert deployment.plan("shop") == [f"shop is signed by {keys.public}", "start it"]
    assert deployment.deploy("shop").version == "2026"
    assert inner.calls == ["plan shop", f"deploy {image.id}"]


def test_a_rollback_goes_to_what_was_deployed_before_signed_or_not(
    inner: Inner, tmp_path: Path
) -> None:
    deployment = signed_only(inner, make_keys(tmp_path).settings())
    assert deployment.plan_rollback() == ["go back"]
    assert deployment.rollback().image == "before"
