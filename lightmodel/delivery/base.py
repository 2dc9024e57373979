"""The protocol of deployments: an image becomes the running service."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient


@dataclass(frozen=True)
class DeploymentResult:
    """The running service after a deployment.

    Attributes:
        image: its image, by id or digest, neither of which can change.
        version: version of the model in the image.
        address: address of the service.
        changed: False if the image was deployed already.
    """

    image: str
    version: str
    address: str
    changed: bool


class Deployment(Protocol):
    """A place where the service runs.

    A new image is started beside the old one, and must become ready and score the model's sample rows as
    stored; only then does it get the requests. If anything fails, it is removed, and the old one keeps
    serving. An image that is deployed already is left alone.
    """

    @property
    def client(self) -> "DockerClient":
        """The engine that holds the images."""
        ...

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do, one step per line, and change nothing."""
        ...

    def deploy(self, image: str) -> DeploymentResult:
        """Deploy an image.

        Raises:
            DeployFailed: its smoke test failed, and the deployment was rolled back.
            SourceUnavailable: the host or the platform does not answer; a later try may help.
            ConfigError: the image is missing, or a setting or credential is wrong.
        """
        ...

    def plan_rollback(self) -> list[str]:
        """Return what `rollback` would do, one step per line, and change nothing.

        Raises:
            ArtefactMissing: there is no previous image.
        """
        ...

    def rollback(self) -> DeploymentResult:
        """Deploy the previous image again, in the same way.

        Raises:
            ArtefactMissing: there is no previous image.
            DeployFailed: as in `deploy`.
        """
        ...
