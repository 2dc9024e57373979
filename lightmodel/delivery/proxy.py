"""The proxy: owns the service's port, and hands requests to the live one of two containers."""

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lightmodel.config import DeploySection
from lightmodel.delivery.engine import (
    execute,
    find_container,
    image_of,
    keep_running,
    one_file,
    remove,
)
from lightmodel.delivery.smoke_test import Answer
from lightmodel.errors import ConfigError, DeployFailed

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.networks import Network

logger = logging.getLogger(__name__)

Colour = Literal["blue", "green"]
IMAGE = "light-model-proxy"
HERE = "http://127.0.0.1:5001"
_LIVE = "/var/lib/live"
_ASK = "/usr/local/lib/ask.py"
_QUESTION = "question.json"
_HINT = "`docker build --target proxy -t light-model-proxy .` makes it"


@dataclass(frozen=True)
class Proxy:
    """The container that owns the port."""

    container: "Container"

    def live(self) -> Colour:
        """Return which container gets the requests."""
        code, _ = execute(self.container, ["test", "-f", f"{_LIVE}/green"])
        return "blue" if code else "green"

    def switch(self, colour: Colour) -> None:
        """Route the next request, and all after it, to this container; none is lost.

        Raises:
            DeployFailed: the proxy could not be told.
        """
        command = ["touch"] if colour == "green" else ["rm", "-f"]
        code, _ = execute(self.container, [*command, f"{_LIVE}/green"])
        if code:
            raise DeployFailed(f"the proxy cannot switch: {command[0]} gives {code}")

    def ask(self, url: str, body: bytes | None = None, key: str = "") -> Answer:
        """Ask from the proxy's place: GET, or POST a JSON body."""
        words = ["python", "-I", _ASK, url]
        if body is not None:
            self.container.put_archive(_LIVE, one_file(_QUESTION, body))
            words.append(f"{_LIVE}/{_QUESTION}")
        environment = {"LIGHTMODEL_KEY": key} if key else None
        _, output = execute(self.container, words, environment)
        try:
            return Answer(**json.loads(output))
        except ValueError:  # the proxy itself was stopped meanwhile
            return Answer(0, "the proxy does not run")


def open_proxy(client: "DockerClient", deploy: DeploySection, *, renew: bool = False) -> Proxy:
    """Return the proxy of a service; start it where it does not run, make it where there is none.

    Args:
        client: of the engine.
        deploy: the settings.
        renew: replace one that runs another image than the newest; nobody answers for a second.

    Raises:
        ConfigError: its image is not there, or its port is taken.
    """
    name = f"{deploy.name}-proxy"
    image = image_of(client, IMAGE, _HINT)
    found = find_container(client, name)
    if found is not None and found.image != image:
        if renew:
            remove(found)
            found = None
        else:
            logger.warning(
                "%s runs an older image; `deploy docker --renew-proxy` replaces it", name
            )
    container = found or _create(client, deploy, name)
    if container.status != "running":
        _start(container, deploy.port)
    return Proxy(container)


def network_of(client: "DockerClient", deploy: DeploySection) -> "Network":
    """Return the network of a service; make it where there is none."""
    found = client.networks.list(names=[f"^{deploy.name}$"])
    return found[0] if found else client.networks.create(deploy.name, check_duplicate=True)


def _create(client: "DockerClient", deploy: DeploySection, name: str) -> "Container":
    return client.containers.create(
        IMAGE,
        name=name,
        labels={"light-model.part": "proxy", "light-model.name": deploy.name},
        network=network_of(client, deploy).name,
        ports={"5001/tcp": deploy.port},
        volumes={f"{deploy.name}-live": {"bind": _LIVE, "mode": "rw"}},
        **hardening(),
    )


def hardening() -> dict[str, Any]:
    """Return what every container of ours runs under: nothing to write to, and nothing to gain."""
    return {
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},  # noqa: S108 — in the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": 512,
        "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    }


def _start(container: "Container", port: int) -> None:
    from docker.errors import APIError

    try:
        container.start()
    except APIError as error:
        remove(container)
        if "port" in str(error).lower() or "address already in use" in str(error).lower():
            raise ConfigError(
                f"port {port} of the Docker host is taken",
                hint=f"`docker ps --filter publish={port}` names a container that has it; stop it, or "
                "set deploy.port",
            ) from None
        raise
    keep_running(container)
    container.reload()
