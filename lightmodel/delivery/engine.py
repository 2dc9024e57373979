"""The Docker engine that DOCKER_HOST names, with its failures in our words."""

import io
import logging
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

import requests

from lightmodel.errors import AlreadyRunning, ConfigError, DeployFailed, SourceUnavailable
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

logger = logging.getLogger(__name__)

_UNTIL = "light-model.until"
_TIMEOUT_S = 60
_CONFLICT = 409
MODELS = "/app/model"  # of a serving image


def connect() -> "DockerClient":
    """Connect to the engine; ssh:// goes through the machine's own ssh and its settings.

    Raises:
        SourceUnavailable: it does not answer.
    """
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=_TIMEOUT_S, use_ssh_client=True)
        client.ping()
    except (DockerException, requests.RequestException, OSError) as error:
        raise SourceUnavailable(
            f"no Docker engine answers: {error}",
            hint="is it running, does DOCKER_HOST name it, and may this user open its socket "
            "(group docker)?",
        ) from None
    return client


@contextmanager
def translate_docker_errors(what: str) -> Iterator[None]:
    """Turn what the engine says of a failure into words.

    Raises:
        SourceUnavailable: it went away.
        DeployFailed: it refused.
    """
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise DeployFailed(f"{what}: Docker says: {error.explanation or error}") from error
    except (DockerException, requests.RequestException) as error:
        raise SourceUnavailable(f"{what}: the Docker engine went away: {error}") from error


def image_of(client: "DockerClient", reference: str, hint: str) -> "Image":
    """Find an image on the host.

    Raises:
        ConfigError: it is not there.
    """
    from docker.errors import ImageNotFound

    try:
        return client.images.get(reference)
    except ImageNotFound:
        raise ConfigError(f"there is no image {reference} on the Docker host", hint=hint) from None


def find_container(client: "DockerClient", name: str) -> "Container | None":
    """Return a container by its name, running or not."""
    from docker.errors import NotFound

    try:
        return client.containers.get(name)
    except NotFound:
        return None


def remove(container: "Container | None") -> None:
    """Remove a container, whatever it does at the moment; one that is gone already is fine."""
    from docker.errors import NotFound

    if container is not None:
        with suppress(NotFound):
            container.remove(force=True)


def execute(
    container: "Container", words: list[str], environment: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Run a command in a container; give its exit code and standard output."""
    api = cast("DockerClient", container.client).api
    made = api.exec_create(container.id, words, environment=environment, stderr=False)
    # Over ssh the SDK fails when it closes the connection, and takes the output with it; a stream it
    # leaves open.
    over_ssh = str(api.base_url).startswith("http+docker://ssh")
    said = cast("bytes | Iterator[bytes]", api.exec_start(made["Id"], stream=over_ssh))
    output = said if isinstance(said, bytes) else b"".join(said)
    return int(api.exec_inspect(made["Id"])["ExitCode"] or 0), output


def keep_running(container: "Container") -> None:
    """From now on Docker starts it again when it ends, and when the machine starts."""
    policy = {"Name": "unless-stopped", "MaximumRetryCount": 0}
    container.update(restart_policy=policy)  # type: ignore[arg-type]  # the stubs lack this name


def one_file(name: str, content: bytes) -> bytes:
    """Return a tar archive that holds one file, readable by all: how the engine takes files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


@contextmanager
def lock(client: "DockerClient", name: str, image: str, seconds: float) -> Iterator[None]:
    """Let one deployment at a time work on a service, from whatever machine.

    The lock is a container that never runs: the engine gives a name to one only. It says until when
    it may be believed, so that a deployment that was killed locks nobody out for long.

    Raises:
        AlreadyRunning: another deployment is under way.
    """
    from docker.errors import APIError

    held = find_container(client, name)
    if held is not None and float(held.labels.get(_UNTIL, "0")) < time.time():
        logger.warning("an earlier deployment was killed; this one cleans up after it")
        remove(held)
    labels = {_UNTIL: str(int(time.time() + seconds))}
    try:
        held = client.containers.create(image, name=name, labels=labels)
    except APIError as error:
        if error.status_code != _CONFLICT:
            raise
        raise AlreadyRunning(
            "another deployment of this service is under way",
            hint=f"wait for it; if it was killed, `docker rm {name}`",
        ) from None
    try:
        yield
    finally:
        remove(held)


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
    """Return version and bytes of each manifest."""
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

    One that a container uses, that is called `latest`, or that a rollback would bring back, which is
    `previous` by its id, stays.
    """
    name = reference.partition("@")[0].rpartition(":")[0] or reference
    own = [
        image
        for image in client.images.list(filters={"label": "light-model.service=serve"})
        if any(tag.rpartition(":")[0] == name for tag in image.tags)
    ]
    used = {
        container.attrs["Image"]
        for container in client.containers.list(all=True, ignore_removed=True)
    }
    used.add(previous)
    newest_first = sorted(own, key=lambda image: str(image.attrs["Created"]), reverse=True)
    for image in newest_first[keep:]:
        if image.id not in used and f"{name}:latest" not in image.tags:
            for tag in image.tags:
                client.images.remove(tag)
            logger.info("removed the old image %s", ", ".join(image.tags))
