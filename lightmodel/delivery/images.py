"""What an image holds, told by its files and not by what it answers."""

import io
import logging
import tarfile
from typing import TYPE_CHECKING

from lightmodel.delivery.engine import remove
from lightmodel.errors import ConfigError
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient

logger = logging.getLogger(__name__)

MODELS = "/app/model"


def manifest_of(client: "DockerClient", image: str) -> Manifest:
    """Read the manifest of the model that a serving image holds; nothing of it is run.

    Raises:
        ConfigError: the image holds no model, or more than one.
        ArtefactCorrupt: the manifest is none.
    """
    found = dict(_manifests(client, image))
    if len(found) != 1:
        raise ConfigError(
            f"{image} holds {len(found)} models in {MODELS}, and not one",
            hint="`docker build -t light-model .` makes an image with one",
        )
    ((name, data),) = found.items()
    return Manifest.from_json(data, name)


def _manifests(client: "DockerClient", image: str) -> list[tuple[str, bytes]]:
    """Give version and bytes of each manifest."""
    from docker.errors import NotFound

    container = client.containers.create(image)
    try:
        pieces, _ = container.get_archive(MODELS)
        archive = io.BytesIO(b"".join(pieces))
    except NotFound:
        return []
    finally:
        remove(container)
    with tarfile.open(fileobj=archive) as tar:
        return [
            (entry.name.split("/")[-2], file.read())
            for entry in tar
            if entry.name.endswith("/manifest.json") and (file := tar.extractfile(entry))
        ]


def retire_images(client: "DockerClient", reference: str, keep: int, previous: str) -> None:
    """Remove serving images of this name beyond the newest `keep`, by their label.

    One that a container uses, that a rollback would bring back, or that is called `latest`, stays.

    Args:
        client: of the engine.
        reference: of the image that was deployed.
        keep: so many.
        previous: id of the image that answered before.
    """
    name = reference.partition("@")[0].rpartition(":")[0] or reference
    own = [
        image
        for image in client.images.list(filters={"label": "light-model.service=serve"})
        if any(tag.rpartition(":")[0] == name for tag in image.tags)
    ]
    used = {container.attrs["Image"] for container in client.containers.list(all=True)}
    used.add(previous)
    newest_first = sorted(own, key=lambda image: str(image.attrs["Created"]), reverse=True)
    for image in newest_first[keep:]:
        if image.id not in used and f"{name}:latest" not in image.tags:
            for tag in image.tags:
                client.images.remove(tag)
            logger.info("removed the old image %s", ", ".join(image.tags))
