"""The proxy of a service on a Docker host: it owns the port, and routes requests to the live version."""

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lightmodel.config import DeploySection
from lightmodel.delivery import engine
from lightmodel.delivery.smoke_test import Answer, Ask
from lightmodel.errors import ConfigError, DeployFailed

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container

logger = logging.getLogger(__name__)

Colour = Literal["blue", "green"]
OTHER_COLOUR: dict[Colour, Colour] = {"blue": "green", "green": "blue"}
PROXY_IMAGE = "light-model-proxy"
PROXY_URL = "http://127.0.0.1:5001"
_STATE = "/var/lib/live"
_ASK_SCRIPT = "/usr/local/lib/ask.py"
_REQUEST_FILE = "question.json"
_HINT = "`docker build --target proxy -t light-model-proxy .` makes it"


@dataclass(frozen=True)
class Route:
    """Where requests go.

    Attributes:
        live: colour of the container that gets them.
        watched: True while a new version is watched: what it does not answer, the other colour does.
    """

    live: Colour
    watched: bool


@dataclass(frozen=True)
class Proxy:
    """The proxy's container, which owns the service's port."""

    container: "Container"

    def route(self) -> Route:
        """Return where requests go."""
        _, output = engine.execute(self.container, ["ls", _STATE])
        names = output.decode(errors="replace").split()
        live: Colour = "green" if "green" in names else "blue"
        return Route(live, f"watched-{live}" in names)

    def switch(self, colour: Colour, *, watched: bool = False) -> None:
        """Route all new requests to the container of this colour; none is lost.

        Until `end_watch`, a `watched` one is backed by the other colour. A command that is killed in the
        middle leaves the old route.

        Raises:
            DeployFailed: the command in the proxy failed.
        """
        mark = f"touch watched-{colour}" if watched else f"rm -f watched-{colour}"
        turn = "touch green" if colour == "green" else "rm -f green"
        self._run(f"{mark} && {turn} && rm -f watched-{OTHER_COLOUR[colour]}", "switch")

    def end_watch(self) -> None:
        """Route requests to the live container alone.

        Raises:
            DeployFailed: the command in the proxy failed.
        """
        self._run("rm -f watched-blue watched-green", "end the watch")

    def _run(self, script: str, what: str) -> None:
        code, _ = engine.execute(self.container, ["sh", "-c", f"cd {_STATE} && {script}"])
        if code:
            raise DeployFailed(f"the proxy cannot {what}: `{script}` ended with exit code {code}")

    def ask(self, url: str, body: bytes | None = None, key: str = "", **patience: float) -> Answer:
        """Send GET, or POST with a JSON body, from the proxy's container; see `ask_from`."""
        command = [url]
        if body is not None:
            self.container.put_archive(_STATE, engine.tar_of(_REQUEST_FILE, body))
            command.append(f"{_STATE}/{_REQUEST_FILE}")
        return ask_from(self.container, *command, key=key, **patience)

    def asking(self, address: str, key: str = "", **patience: float) -> Ask:
        """Return what sends requests to an address from the proxy's container; see `ask_from`."""
        return lambda path, body: self.ask(address + path, body, key, **patience)


def ask_from(
    container: "Container", *words: str, key: str = "", wait_s: float = 0.0, watch_s: float = 0.0
) -> Answer:
    """Send a request from a container of the proxy's image: a URL, and the file of a body, if any.

    It is repeated there until it is answered with 200, for at most `wait_s` seconds; or until it is not,
    for `watch_s`.
    """
    known = {"KEY": key, "WAIT_S": wait_s, "WATCH_S": watch_s}
    environment = {f"LIGHTMODEL_{name}": str(value) for name, value in known.items() if value}
    command = ["python", "-I", _ASK_SCRIPT, *words]
    _, output = engine.execute(container, command, environment)
    try:
        return Answer(**json.loads(output))
    except ValueError:  # it was stopped meanwhile
        return Answer(0, "the proxy is not running")


def open_proxy(client: "DockerClient", deploy: DeploySection, *, renew: bool = False) -> Proxy:
    """Return the running proxy of a service; create, start or unpause it if necessary.

    A proxy with another port than the settings' is replaced, once the new one has its port. With `renew`,
    one of an older image is replaced too, and the service is down for a second.

    Raises:
        ConfigError: the proxy's image is missing, or the port is in use.
    """
    name = f"{deploy.name}-proxy"
    image = engine.image_of(client, PROXY_IMAGE, _HINT)
    container = _at_port(client, deploy, name)
    if container is not None and container.image != image:
        if renew:
            engine.remove(container)
            container = None
        else:
            logger.warning(
                "%s runs an older image; `deploy docker --renew-proxy` replaces it", name
            )
    container = container or _create(client, deploy, name)
    if container.status == "paused":
        container.unpause()
        container.reload()
    if container.status != "running":
        _start(container, deploy.port)
    return Proxy(container)


def published_port(container: "Container") -> int:
    """Return the port of the Docker host that a proxy has, running or not; 0 for none."""
    published = (container.attrs["HostConfig"]["PortBindings"] or {}).get("5001/tcp")
    return int(published[0]["HostPort"]) if published else 0


def _at_port(client: "DockerClient", deploy: DeploySection, name: str) -> "Container | None":
    """Return the proxy's container, moved to the port of the settings; None if there is none."""
    container = engine.find_container(client, name)
    moved = engine.find_container(client, f"{name}-moved")  # left by a deployment that was killed
    if container is None and moved is not None:
        moved.rename(name)
        return engine.find_container(client, name)
    engine.remove(moved)
    if container is None or published_port(container) == deploy.port:
        return container
    logger.info("%s moves from port %d to %d", name, published_port(container), deploy.port)
    moved = _create(client, deploy, f"{name}-moved")
    _start(moved, deploy.port)
    engine.remove(container)
    moved.rename(name)
    return engine.find_container(client, name)


def _create(client: "DockerClient", deploy: DeploySection, name: str) -> "Container":
    if not client.networks.list(names=[f"^{deploy.name}$"]):
        client.networks.create(deploy.name, check_duplicate=True)
    return client.containers.create(
        PROXY_IMAGE,
        name=name,
        labels={"light-model.part": "proxy", "light-model.name": deploy.name},
        network=deploy.name,
        ports={"5001/tcp": deploy.port},
        volumes={f"{deploy.name}-live": {"bind": _STATE, "mode": "rw"}},
        **engine.restrictions(),
    )


def _start(container: "Container", port: int) -> None:
    from docker.errors import APIError

    try:
        container.start()
    except APIError as error:
        engine.remove(container)
        if "port" in str(error).lower() or "address already in use" in str(error).lower():
            raise ConfigError(
                f"port {port} of the Docker host is in use",
                hint=f"`docker ps --filter publish={port}` names a container that uses it; stop it, or "
                "set deploy.port",
            ) from None
        raise
    engine.keep_running(container)
    container.reload()
