"""Deployments of nothing but signed images."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightmodel.config import DeploySection
from lightmodel.delivery.base import Deployment, DeploymentResult
from lightmodel.delivery.engine import translate_docker_errors
from lightmodel.delivery.signatures import check_signature

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient


def signed_only(deployment: Deployment, settings: DeploySection) -> Deployment:
    """Return a deployment that refuses unsigned images if `deploy.require_signature` is set."""
    return SignedOnly(deployment, settings) if settings.require_signature else deployment


@dataclass(frozen=True)
class SignedOnly:
    """A deployment that checks the signature of an image before anything else; see `Deployment`.

    A rollback is not checked: it goes to an image that was deployed before, and must not fail.
    """

    deployment: Deployment
    settings: DeploySection

    @property
    def client(self) -> "DockerClient":
        """The engine that holds the images."""
        return self.deployment.client

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do; see `Deployment`."""
        self._check(image)
        signed = f"{image} is signed by {self.settings.require_signature}"
        return [signed, *self.deployment.plan(image)]

    def deploy(self, image: str) -> DeploymentResult:
        """Deploy an image by the id that was checked: a name may be moved to another image meanwhile."""
        return self.deployment.deploy(self._check(image))

    def plan_rollback(self) -> list[str]:
        """Return what `rollback` would do; see `Deployment`."""
        return self.deployment.plan_rollback()

    def rollback(self) -> DeploymentResult:
        """Deploy the previous image again; see `Deployment`."""
        return self.deployment.rollback()

    def _check(self, image: str) -> str:
        with translate_docker_errors(f"cannot inspect {image}"):
            return check_signature(self.client, image, self.settings)
