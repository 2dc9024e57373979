"""The images of one service on a Docker host: which one answers, and which ones rollbacks need.

They are known by tags of the service's name, which outlive its containers: `NAME:live`, and one with the
time of each deployment. Images that were only built, or that other services use, are not among them.
"""

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.images import Image

logger = logging.getLogger(__name__)

_OF_A_SERVICE = re.compile(r".+:(live|deployed-\d{8}T\d{12}Z)")


@dataclass(frozen=True)
class DeployedImages:
    """The deployed images of the service of this name."""

    client: "DockerClient"
    name: str

    @property
    def live(self) -> str:
        """The reference of the image that answers."""
        return f"{self.name}:live"

    def begin(self, image: "Image") -> str:
        """Tag an image that is to be deployed, and return that reference.

        What killed deployments have tagged is untagged.
        """
        live = self._live_image()
        if live is not None and not self._references(live):  # deployed by an earlier release
            live.tag(self.name, _tag(str(live.attrs["Created"])))
        records = self._records()
        for reference, unfinished in records[: len(records) - len(self._finished())]:
            self._untag(unfinished, [reference])
        tag = _tag(str(self.client.info()["SystemTime"]))  # the clock that all deployers share
        image.tag(self.name, tag)
        return f"{self.name}:{tag}"

    def discard(self, image: "Image", reference: str) -> None:
        """Remove the tag of a deployment that failed; the image itself stays."""
        image.reload()
        self._untag(image, [reference])

    def finish(self, image: "Image") -> None:
        """Record that an image answers now."""
        image.reload()
        if not self._references(image):
            self.begin(image)
            image.reload()
        if self.live not in image.tags:
            image.tag(self.name, "live")
        self._untag(image, self._references(image)[:-1])

    def previous(self) -> "Image | None":
        """Return the image that answered before the live one; None if there is none."""
        live = self._live_image()
        earlier = (image for _, image in self._finished() if live and image.id != live.id)
        return next(earlier, None)

    def retire(self, keep: int) -> None:
        """Remove the images from before the newest `keep` that answered before the live one.

        Of an image that a container or another service uses, or that is tagged `latest`, only this
        service's tags are removed.
        """
        # `sparse` asks the engine once, not once more for each container.
        used = {one.attrs["ImageID"] for one in self.client.containers.list(all=True, sparse=True)}
        for _, image in self._finished()[keep + 1 :]:
            own = self._references(image)
            others = [tag for tag in image.tags if tag not in own]
            shared = any(tag.endswith(":latest") or _OF_A_SERVICE.fullmatch(tag) for tag in others)
            if not shared and image.id not in used:
                logger.info("removing the old image %s", ", ".join(image.tags))
                own = [*others, *own]
            for reference in own:
                self.client.images.remove(reference)

    def _live_image(self) -> "Image | None":
        from docker.errors import ImageNotFound

        try:
            return self.client.images.get(self.live)
        except ImageNotFound:
            return None

    def _references(self, image: "Image") -> list[str]:
        """Return this service's dated tags of an image, the newest last."""
        return sorted(tag for tag in image.tags if tag.startswith(f"{self.name}:deployed-"))

    def _records(self) -> list[tuple[str, "Image"]]:
        """Return the newest dated tag of each image, with the image; the newest first."""
        images = self.client.images.list(f"{self.name}:deployed-*")
        records = [
            (references[-1], image) for image in images if (references := self._references(image))
        ]
        return sorted(records, key=lambda record: record[0], reverse=True)

    def _finished(self) -> list[tuple[str, "Image"]]:
        """Return those records that are not newer than the live image's: its deployment was the last."""
        records, live = self._records(), self._live_image()
        ids = [image.id for _, image in records]
        return records[ids.index(live.id) :] if live is not None and live.id in ids else []

    def _untag(self, image: "Image", references: list[str]) -> None:
        """Remove tags, but never the last one, which would remove the image."""
        for reference in references:
            if len(image.tags) > 1:
                self.client.images.remove(reference)
                image.reload()


def _tag(time: str) -> str:
    """Return the tag of a deployment at a time in ISO format."""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("deployed-%Y%m%dT%H%M%S%fZ")
