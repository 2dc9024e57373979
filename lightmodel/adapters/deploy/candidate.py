"""A new version's container: started beside the old one, made to prove itself, and watched."""

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightmodel.adapters.deploy.proxy import HERE, Colour, Proxy, hardening
from lightmodel.artefacts.manifest import Manifest
from lightmodel.config import DeploySection
from lightmodel.errors import ConfigError, DeployFailed
from lightmodel.stages.smoke import check_sample_answers, sample_request

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container

IMAGE, SETTINGS, PREVIOUS, NAME = (
    f"light-model.{word}" for word in ("image", "settings", "previous", "name")
)
STOP_S = 40  # the service finishes what is under way in serve.graceful_seconds
_LOOK_S = 0.25
_LINES = 8
_OK = 200


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
        ends = time.monotonic() + seconds
        while True:
            self._check_alive()
            answer = self.proxy.ask(f"http://{self.colour}:5001/ready")
            if answer.status == _OK:
                return
            if time.monotonic() > ends:
                raise DeployFailed(
                    f"the new version was not ready after {seconds:g} s; /ready answers "
                    f"{answer.status or 'nothing'}: {answer.body.strip()[:300]}",
                    hint=f"what it said last:\n{self._last_lines()}",
                )
            time.sleep(_LOOK_S)

    def prove(self, address: str) -> None:
        """Compare its answers to the model's own sample rows with what is stored.

        Args:
            address: of the container, or of the proxy once the requests go there.

        Raises:
            DeployFailed: it serves another model, or scores otherwise.
        """
        samples, task = self.manifest.samples, self.manifest.task or {}
        version = _field(self._asked(f"{address}/model"), "version")
        if version != self.manifest.version:
            raise DeployFailed(f"the image holds {self.manifest.version}, and {version} answers")
        answers = self._asked(f"{address}/predict", sample_request(samples))
        check_sample_answers(answers, samples, task)

    def watch(self, seconds: float) -> None:
        """Look at it for a while, as those see it who ask.

        Raises:
            DeployFailed: it ended, became unhealthy, or does not answer.
        """
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(min(1.0, seconds))
            self._check_alive()
            answer = self.proxy.ask(f"{HERE}/ready")
            if answer.status != _OK:
                raise DeployFailed(
                    f"the new version stopped answering: {answer.status} {answer.body.strip()[:300]}",
                    hint=f"what it said last:\n{self._last_lines()}",
                )

    def _asked(self, url: str, body: bytes | None = None) -> object:
        answer = self.proxy.ask(url, body, self.key)
        if answer.status != _OK:
            raise DeployFailed(
                f"the new version answers {answer.status or 'nothing'} to /{url.rpartition('/')[2]}: "
                f"{answer.body.strip()[:300]}",
                hint="where the service asks for keys, deploy.api_key must be one"
                if answer.status in {401, 403}
                else f"what it said last:\n{self._last_lines()}",
            )
        try:
            found: object = json.loads(answer.body)
        except ValueError:
            raise DeployFailed(f"the answer to {url} is not JSON") from None
        return found

    def _check_alive(self) -> None:
        self.container.reload()
        if self.container.status != "running" or self.container.health == "unhealthy":
            state = self.container.attrs["State"]
            raise DeployFailed(
                f"the new version is {self.container.health or ''} {self.container.status}, "
                f"exit code {state.get('ExitCode')}",
                hint=f"what it said last:\n{self._last_lines()}",
            )

    def _last_lines(self) -> str:
        return str(self.container.logs(tail=_LINES).decode(errors="replace"))


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
    """Give the environment of the service: what deploy.env_file says, and that a proxy is in front.

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
    """Give what tells whether two containers of one image would run alike."""
    content = json.dumps(sorted(environment_of(deploy).items()))
    return hashlib.sha256(content.encode()).hexdigest()


def _field(content: object, name: str) -> object:
    return content.get(name) if isinstance(content, dict) else None
