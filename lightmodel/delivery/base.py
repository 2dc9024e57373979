"""The port through which an image becomes the service that people ask."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Deployed:
    """What answers now.

    Attributes:
        image: that it runs, by an id or digest that cannot be moved to another.
        version: of the model in it.
        address: where it answers.
        changed: False where it did so already.
    """

    image: str
    version: str
    address: str
    changed: bool


class Deployment(Protocol):
    """Somewhere the service runs.

    A new image is started beside the old one and must become ready and score the model's own sample rows
    as stored; only then is it given the requests. When it fails at anything, it is removed and the old one
    goes on as if nothing had been. The image that answers already is left alone.
    """

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do, a step a line, and change nothing."""
        ...

    def deploy(self, image: str) -> Deployed:
        """Bring an image into service.

        Raises:
            DeployFailed: its smoke test failed, and the deployment was rolled back.
            SourceUnavailable: the host or the platform does not answer; trying again may help.
            ConfigError: it, or what is needed to reach it, is not as the settings say.
        """
        ...

    def rollback(self) -> Deployed:
        """Bring back the image that answered before this one, in the same way.

        Raises:
            ArtefactMissing: there is none.
            DeployFailed: as in `deploy`.
        """
        ...
