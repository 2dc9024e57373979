"""A new version's container: started beside the old one, made to prove itself, and watched."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightmodel.config import DeploySection
from lightmodel.delivery.proxy import HERE, Colour, Proxy, hardening
from lightmodel.delivery.smoke_test import OK, Ask, smoke_test, wait_until_ready
from lightmodel.errors import ConfigError, DeployFailed
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container

IMAGE, SETTINGS, PREVIOUS, NAME = (
    f"light-model.{word}" for word in ("image", "settings", "previous", "name")
)
STOP_S = 40  # the service finishes what is under way in serve.graceful_seconds
_LOOK_S = 1.0
_LINES = 8


@dataclass(frozen=True)
class Candidate:
    """A container of the service.

    Attributes:
        container: itself.
        proxy: of the service, through which it is asked.
        colour: its name on the service's network.
        manifest: of the model in its image.
        key: an API key of the service; "" where it wants none.
    """

    container: "Container"
    proxy: Proxy
    colour: Colour
    manifest: Manifest
    key: str

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for `/ready`.

        Raises:
            DeployFailed: it ended, or did not become ready in time; says what it said last.
        """
        with self._quoted():
            wait_until_ready(self._asking(self._address), seconds, self.check_alive)

    def smoke_test(self, *, through_proxy: bool) -> None:
        """Compare its answers to the model's own sample rows with what is stored.

        Args:
            through_proxy: as those ask who use the service.

        Raises:
            DeployFailed: it serves another model, or scores otherwise.
        """
        with self._quoted():
            smoke_test(self._asking(HERE if through_proxy else self._address), self.manifest)

    def watch(self, seconds: float) -> None:
        """Look at it for a while, as those see it who use the service.

        Raises:
            DeployFailed: it ended, became unhealthy, or does not answer.
        """
        ends = time.monotonic() + seconds
        ask = self._asking(HERE)
        with self._quoted():
            while time.monotonic() < ends:
                time.sleep(min(_LOOK_S, seconds))
                self.check_alive()
                if (answer := ask("/ready", None)).status != OK:
                    raise DeployFailed(f"it stopped answering; /ready: {answer}")

    def check_alive(self) -> None:
        """Look at the container itself.

        Raises:
            DeployFailed: it does not run, or Docker finds it unhealthy.
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
        return f"http://{self.colour}:5001"

    def _asking(self, address: str) -> Ask:
        return lambda path, body: self.proxy.ask(address + path, body, self.key)

    @contextmanager
    def _quoted(self) -> Iterator[None]:
        """Name the version that an error is of, and quote what it logged last."""
        try:
            yield
        except DeployFailed as error:
            said = self.container.logs(tail=_LINES).decode(errors="replace")
            hint = error.hint or f"what the new version said last:\n{said}"
            raise DeployFailed(f"the new version: {error.message}", hint=hint) from error


def start_candidate(
    client: "DockerClient", deploy: DeploySection, image: str, colour: Colour, previous: str
) -> "Container":
    """Start a container of an image, reachable by its colour on the service's network.

    It is not restarted by Docker until it has proved itself.

    Args:
        client: of the engine.
        deploy: the settings.
        image: its id.
        colour: of the container.
        previous: id of the image that answers now; "" for none.
    """
    container = client.containers.create(
        image,
        name=f"{deploy.name}-{colour}",
        environment=environment_of(deploy),
        labels={
            NAME: deploy.name,
            IMAGE: image,
            SETTINGS: settings_hash(deploy),
            PREVIOUS: previous,
        },
        network=deploy.name,
        networking_config={deploy.name: client.api.create_endpoint_config(aliases=[colour])},
        volumes={f"{deploy.name}-log": {"bind": "/app/var/log", "mode": "rw"}},
        **hardening(),
    )
    container.start()
    return container


def environment_of(deploy: DeploySection) -> dict[str, str]:
    """Return the environment of the service: what deploy.env_file says, and that a proxy is in front.

    Raises:
        ConfigError: the file cannot be read, or a line is not NAME=VALUE.
    """
    found = {"LIGHTMODEL__SERVE__PROXIES": "1"}
    for number, line in enumerate(_lines(deploy), start=1):
        text = line.strip()
        if text and not text.startswith("#"):
            name, equals, value = text.partition("=")
            if not equals or not name.strip().replace("_", "").isalnum():
                raise ConfigError(f"{deploy.env_file}, line {number}: must be NAME=VALUE")
            found[name.strip()] = value
    return found


def _lines(deploy: DeploySection) -> list[str]:
    if deploy.env_file is None:
        return []
    try:
        return deploy.env_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"deploy.env_file {deploy.env_file} cannot be read: {reason}") from None


def settings_hash(deploy: DeploySection) -> str:
    """Return what tells whether two containers of one image would run alike."""
    content = json.dumps(sorted(environment_of(deploy).items()))
    return hashlib.sha256(content.encode()).hexdigest()
