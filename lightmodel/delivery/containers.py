"""The versions of a service on a Docker host, behind its proxy.

A new version is started beside the old one, checked by a smoke test, and watched; the proxy routes
requests to the live one of the two.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightmodel.config import DeploySection
from lightmodel.delivery import engine
from lightmodel.delivery.proxy import PROXY_URL, Proxy
from lightmodel.delivery.replicas import REPLICAS, Replica
from lightmodel.delivery.smoke_test import OK, Ask, smoke_test, wait_until_ready
from lightmodel.errors import ConfigError, DeployFailed
from lightmodel.interruption import raise_if_interrupted
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

logger = logging.getLogger(__name__)

IMAGE, SETTINGS, NAME = (f"light-model.{word}" for word in ("image", "settings", "name"))
STOP_S = 40  # the service ends requests under way within serve.graceful_timeout_s
WATCH_S = _ASK_S = 2.0  # for which one command in the proxy's container repeats a request
_LOG_LINES = 8


@dataclass(frozen=True)
class Candidate:
    """A replica of a new version of the service, reached from the proxy's container.

    `key` is the API key, "" for none.
    """

    container: "Container"
    proxy: Proxy
    replica: Replica
    manifest: Manifest
    key: str

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for `/ready`.

        Raises:
            DeployFailed: it ended, or did not become ready in time; the hint quotes its log.
        """
        ask = self._asking(self._address, wait_s=min(_ASK_S, seconds))
        with self._quote_log():
            wait_until_ready(ask, seconds, self.check_alive)

    def smoke_test(self, *, through_proxy: bool) -> None:
        """Compare its answers to the model's sample rows with the stored scores.

        Requests go to its own address, or `through_proxy`, like those of users.

        Raises:
            DeployFailed: it serves another model, or its scores differ.
        """
        with self._quote_log():
            smoke_test(self._asking(PROXY_URL if through_proxy else self._address), self.manifest)

    def watch(self, seconds: float) -> None:
        """Check it for a few seconds, at its own address: the proxy would hide that it is dead.

        Raises:
            DeployFailed: it ended, became unhealthy, or does not answer.
        """
        with self._quote_log():
            answer = self._asking(self._address, watch_s=seconds)("/ready", None)
            raise_if_interrupted()
            self.check_alive()
            if answer.status != OK:
                raise DeployFailed(f"it stopped answering; /ready: {answer}")

    def check_alive(self) -> None:
        """Check the state of the container.

        Raises:
            DeployFailed: it is not running, or Docker reports it as unhealthy.
        """
        self.container.reload()
        if self.container.status != "running" or self.container.health == "unhealthy":
            state = self.container.attrs["State"]
            health = "unhealthy, " if self.container.health == "unhealthy" else ""
            raise DeployFailed(
                f"its container is {health}{self.container.status}, exit code {state.get('ExitCode')}"
            )

    @property
    def _address(self) -> str:
        return f"http://{self.replica.host}:5001"

    def _asking(self, address: str, **patience: float) -> Ask:
        return self.proxy.asking(address, self.key, **patience)

    @contextmanager
    def _quote_log(self) -> Iterator[None]:
        """Add to an error that it is the new version's, and the last lines of its log."""
        try:
            yield
        except DeployFailed as error:
            log = self.container.logs(tail=_LOG_LINES).decode(errors="replace")
            hint = error.hint or f"the last log lines of the new version:\n{log}"
            raise DeployFailed(f"the new version: {error.message}", hint=hint) from error


def start_candidate(
    client: "DockerClient",
    deploy: DeploySection,
    image: "Image",
    manifest: Manifest,
    *,
    reference: str,
    replica: Replica,
) -> "Container":
    """Start a replica of an image, which the service's network knows by its colour, and by its number too.

    `docker ps` shows the image by this reference, and the model by a label. Docker does not restart the
    container before it has passed its smoke test.
    """
    container = client.containers.create(
        reference,
        name=replica.container_name(deploy.name),
        environment=environment_of(deploy),
        labels={
            NAME: deploy.name,
            IMAGE: str(image.id),
            SETTINGS: settings_hash(deploy),
            REPLICAS: str(deploy.replicas),
            **_origin(image, manifest),
        },
        network=deploy.name,
        networking_config={
            deploy.name: client.api.create_endpoint_config(aliases=[replica.colour, replica.host])
        },
        volumes={f"{deploy.name}-log": {"bind": "/app/var/log", "mode": "rw"}},
        **engine.restrictions(),
    )
    try:
        container.start()
    except BaseException:
        engine.remove(container)
        raise
    return container


def _origin(image: "Image", manifest: Manifest) -> dict[str, str]:
    """Return labels with model, revision and version: an image of a plain `docker build` lacks them."""
    known = {
        "light-model.model": manifest.version,
        "org.opencontainers.image.revision": manifest.commit or "unknown",
        "org.opencontainers.image.version": manifest.version,
    }
    return {name: image.labels.get(name) or value for name, value in known.items()}


def environment_of(deploy: DeploySection) -> dict[str, str]:
    """Return the environment of a replica: deploy.env_file, one proxy in front of it, and their number.

    Raises:
        ConfigError: the file cannot be read, or a line is not NAME=VALUE.
    """
    environment = {"LIGHTMODEL__SERVE__PROXIES": "1"}
    if deploy.replicas > 1:
        environment["LIGHTMODEL__SERVE__REPLICAS"] = str(deploy.replicas)
    if deploy.env_file is None:
        return environment
    try:
        lines = deploy.env_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"deploy.env_file {deploy.env_file} cannot be read: {reason}") from None
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            name, equals, value = text.partition("=")
            if not equals or not name.strip().replace("_", "").isalnum():
                raise ConfigError(f"{deploy.env_file}, line {number}: must be NAME=VALUE")
            environment[name.strip()] = value
    return environment


def settings_hash(deploy: DeploySection) -> str:
    """Return a hash of the environment; an equal one means that containers run alike."""
    content = json.dumps(sorted(environment_of(deploy).items()))
    return hashlib.sha256(content.encode()).hexdigest()
