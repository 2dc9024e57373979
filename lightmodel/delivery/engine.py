"""The Docker engine that DOCKER_HOST names; its errors become those of this project."""

import io
import logging
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import requests

from lightmodel.errors import AlreadyRunning, ConfigError, DeployFailed, SourceUnavailable
from lightmodel.interruption import raise_if_interrupted
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

logger = logging.getLogger(__name__)

_EXPIRES = "light-model.until"
_TIMEOUT_S = 60
_READ_S = 600  # in which the files of an image have been read
_MISSING, _CONFLICT = 404, 409
MODELS = "/app/model"  # of a serving image


def connect() -> "DockerClient":
    """Connect to the engine; ssh:// goes through the machine's own ssh and its settings.

    Raises:
        SourceUnavailable: the engine does not answer.
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


def address_of(client: "DockerClient", port: int) -> str:
    """Return the address of a port of the engine's host, as the engine's host would open it."""
    here = client.api.base_url.startswith("http+docker://local")
    return f"http://localhost:{port}" + ("" if here else f" on {client.info()['Name']}")


@contextmanager
def translate_docker_errors(what: str) -> Iterator[None]:
    """Translate errors of the Docker SDK.

    Raises:
        SourceUnavailable: the engine no longer answers.
        DeployFailed: the engine refused.
    """
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise DeployFailed(f"{what}: Docker reports: {error.explanation or error}") from error
    except (DockerException, requests.RequestException) as error:
        raise SourceUnavailable(f"{what}: the Docker engine no longer answers: {error}") from error


def image_of(client: "DockerClient", reference: str, hint: str) -> "Image":
    """Return an image on the host.

    Raises:
        ConfigError: there is no such image.
    """
    from docker.errors import ImageNotFound

    try:
        return client.images.get(reference)
    except ImageNotFound:
        raise ConfigError(f"there is no image {reference} on the Docker host", hint=hint) from None


def tag_of(image: "Image") -> str:
    """Return the tag of an image in a registry: the same content has the same one."""
    return str(image.id).rpartition(":")[2][:12]


def push(
    client: "DockerClient", image: "Image", repository: str, login: dict[str, str] | None
) -> str:
    """Push an image; return its reference by digest, which cannot be moved to another.

    Raises:
        DeployFailed: the registry rejects the image.
    """
    tag = tag_of(image)
    image.tag(repository, tag)
    server, digest = repository.partition("/")[0], ""
    for line in client.images.push(repository, tag, auth_config=login, stream=True, decode=True):
        raise_if_interrupted()
        if "error" in line:
            raise DeployFailed(f"{server} rejects the image: {line['error']}")
        digest = line.get("aux", {}).get("Digest", digest)
    client.images.remove(f"{repository}:{tag}")  # the image keeps its other tags
    if not digest:
        raise DeployFailed(f"{server} did not return the digest of the image")
    return f"{repository}@{digest}"


def find_container(client: "DockerClient", name: str) -> "Container | None":
    """Return a container by its name, running or not; None if there is none."""
    from docker.errors import NotFound

    try:
        return client.containers.get(name)
    except NotFound:
        return None


def remove(container: "Container | None") -> None:
    """Remove a container, running or not; one that is missing, or being removed, is ignored."""
    from docker.errors import APIError

    if container is None:
        return
    try:
        container.remove(force=True)
    except APIError as error:
        if error.status_code not in {_MISSING, _CONFLICT}:
            raise


def execute(
    container: "Container", command: list[str], environment: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Run a command in a container; return its exit code and standard output."""
    api = cast("DockerClient", container.client).api
    created = api.exec_create(container.id, command, environment=environment, stderr=False)
    # Over ssh the SDK fails when it closes the connection, and the output is lost; the
    # connection of a stream it leaves open.
    over_ssh = str(api.base_url).startswith("http+docker://ssh")
    result = cast("bytes | Iterator[bytes]", api.exec_start(created["Id"], stream=over_ssh))
    output = result if isinstance(result, bytes) else b"".join(result)
    return int(api.exec_inspect(created["Id"])["ExitCode"] or 0), output


def restrictions() -> dict[str, Any]:
    """Return the restrictions of every container: a read-only file system and no privileges."""
    return {
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},  # noqa: S108 — in the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": 512,
        "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    }


def keep_running(container: "Container") -> None:
    """Let Docker restart a container when it ends, and when the machine starts."""
    policy = {"Name": "unless-stopped", "MaximumRetryCount": 0}
    container.update(restart_policy=policy)  # type: ignore[arg-type]  # the stubs lack this name


def tar_of(name: str, content: bytes) -> bytes:
    """Return a tar archive of one file, readable by all: the form in which the engine takes files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


@contextmanager
def lock(client: "DockerClient", name: str, image: str, seconds: float) -> Iterator["Container"]:
    """Lock a service, so that only one deployment at a time changes it, from whatever machine.

    The lock is a container in the network of the engine's host, whose name is unique in the engine. It
    reads from this process, and ends and is removed with it: a killed deployment blocks no other. Where
    that fails, it expires after `seconds`.

    Raises:
        AlreadyRunning: another deployment is under way.
    """
    from docker.errors import APIError

    holder = find_container(client, name)
    if holder is not None and _has_expired(holder):
        logger.warning("an earlier deployment was killed; removing its expired lock")
        remove(holder)
    labels = {_EXPIRES: str(int(time.time() + seconds))}
    options: dict[str, Any] = {
        **restrictions(),
        "command": ["cat"],
        "stdin_open": True,
        "auto_remove": True,
        "network_mode": "host",
        "userns_mode": "host",  # else an engine with a user namespace refuses that network
        "healthcheck": {"test": ["NONE"]},
    }
    try:
        holder = client.containers.create(image, name=name, labels=labels, **options)
    except APIError as error:
        if error.status_code != _CONFLICT:
            raise
        raise AlreadyRunning(
            "another deployment of this service is under way",
            hint=f"wait for it; if it was killed, `docker rm -f {name}`",
        ) from None
    try:
        connection = _attach(holder)
        holder.start()
        yield holder
    finally:
        remove(holder)
    connection.close()


def _attach(container: "Container") -> requests.Response:
    """Connect to the standard input of a container, which ends with the connection."""
    api = cast("DockerClient", container.client).api
    response = api.post(
        f"{api.base_url}/v{api.api_version}/containers/{container.id}/attach",
        params={"stdin": 1, "stream": 1},
        headers={"Connection": "Upgrade", "Upgrade": "tcp"},
        stream=True,
        timeout=_TIMEOUT_S,
    )
    response.raise_for_status()
    return response


def is_locked(client: "DockerClient", name: str) -> bool:
    """Return whether a deployment holds this lock."""
    holder = find_container(client, name)
    return holder is not None and not _has_expired(holder)


def _has_expired(holder: "Container") -> bool:
    return float(holder.labels.get(_EXPIRES, "0")) < time.time()


@contextmanager
def files_of(client: "DockerClient", image: str) -> Iterator["Container"]:
    """Yield a container of an image that is not started, so that its files can be read.

    What a killed process has left is removed by a later one.
    """
    for left in client.containers.list(
        all=True, ignore_removed=True, filters={"label": _EXPIRES, "status": "created"}
    ):
        if _has_expired(left):
            remove(left)
    expires = {_EXPIRES: str(int(time.time() + _READ_S))}
    container = client.containers.create(image, labels=expires)
    try:
        yield container
    finally:
        remove(container)


def manifest_of(client: "DockerClient", image: str) -> Manifest:
    """Return the manifest of the model in a serving image, without running the image.

    Raises:
        ConfigError: the image holds no model, or more than one.
        ArtefactCorrupt: the manifest is invalid.
    """
    manifests = dict(_manifests(client, image))
    if len(manifests) != 1:
        raise ConfigError(
            f"{image} holds {len(manifests)} models in {MODELS} instead of one",
            hint="`docker build -t light-model .` makes an image with one",
        )
    ((name, data),) = manifests.items()
    return Manifest.from_json(data, name)


def _manifests(client: "DockerClient", image: str) -> list[tuple[str, bytes]]:
    """Return the version and the bytes of each manifest."""
    from docker.errors import NotFound

    try:
        with files_of(client, image) as container:
            pieces, _ = container.get_archive(MODELS)
            archive = io.BytesIO(b"".join(pieces))
    except NotFound:
        return []
    with tarfile.open(fileobj=archive) as tar:
        return [
            (entry.name.split("/")[-2], file.read())
            for entry in tar
            if entry.name.endswith("/manifest.json") and (file := tar.extractfile(entry))
        ]
