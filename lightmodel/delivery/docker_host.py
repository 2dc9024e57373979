"""Deploying to a Docker host: the new version beside the old, a switch in the proxy, no lost request."""

import logging
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lightmodel.config import Config, DeploySection
from lightmodel.delivery import containers, engine
from lightmodel.delivery.base import Deployed
from lightmodel.delivery.containers import HERE, PROXY_IMAGE, STOP_S, Candidate, Colour, Proxy
from lightmodel.delivery.engine import translate_docker_errors
from lightmodel.delivery.smoke_test import OK, key_of, wait_until_ready
from lightmodel.errors import ArtefactMissing, LightModelError
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

logger = logging.getLogger(__name__)

_BUILD = "`docker build -t light-model .` makes one"
_LIVE = "live"  # the tag of the image that answers
_LOOKS, _LOOK_S = 3, 2.0
_RESTART_S = 10
_RESTARTS = 2  # by Docker itself, of a container that ends shortly after each start
_OTHER: dict[Colour, Colour] = {"blue": "green", "green": "blue"}


def open_docker_host(config: Config, *, renew_proxy: bool = False) -> "DockerHost":
    """Return the service on the Docker host that DOCKER_HOST names.

    Raises:
        SourceUnavailable: no engine answers.
    """
    return DockerHost(engine.connect(), config.deploy, renew_proxy)


@dataclass(frozen=True)
class DockerHost:
    """One service on the host of an engine; see `Deployment`.

    With `renew_proxy`, a proxy of an older image is replaced.
    """

    client: "DockerClient"
    settings: DeploySection
    renew_proxy: bool = False

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do; see `Deployment`."""
        with translate_docker_errors("cannot look at the Docker host"):
            found = engine.image_of(self.client, image, _BUILD)
            manifest = engine.manifest_of(self.client, str(found.id))
            live = self._live()
        if live is not None and self._is_this(live, found):
            return [f"{image} ({manifest.version}) answers already: look at it, change nothing"]
        settings = self.settings
        return [
            f"start {image} ({manifest.version}) beside {live.name if live else 'nothing'}",
            f"wait until it is ready, at most {settings.ready_timeout_s:g} s",
            f"compare its answers to {len(manifest.samples)} sample rows with its manifest",
            f"switch port {settings.port} to it, and watch it for {settings.watch_s:g} s",
            f"remove {live.name if live else 'nothing'}, and images beyond {settings.keep_images}",
        ]

    def deploy(self, image: str) -> Deployed:
        """Bring an image into service; see `Deployment`."""
        with translate_docker_errors(f"cannot deploy {image}"), self._alone():
            found = engine.image_of(self.client, image, _BUILD)
            manifest = engine.manifest_of(self.client, str(found.id))
            proxy = containers.open_proxy(self.client, self.settings, renew=self.renew_proxy)
            live = self._live()
            changed = not (
                live and self._is_this(live, found) and self._answers(proxy, live, manifest)
            )
            if changed:
                self._replace(proxy, live, found, manifest)
                found.tag(self.settings.name, _LIVE)
                before = live.labels.get(containers.IMAGE, "") if live else ""
                engine.retire_images(self.client, image, self.settings.keep_images, before)
        address = f"http://localhost:{self.settings.port}"
        return Deployed(str(found.id), manifest.version, address, changed)

    def rollback(self) -> Deployed:
        """Bring back the image that answered before; see `Deployment`."""
        with translate_docker_errors("cannot look at the Docker host"):
            live = self._live()
        previous = live.labels.get(containers.PREVIOUS, "") if live else ""
        if not previous:
            raise ArtefactMissing(
                f"{self.settings.name} has no previous version",
                hint="`python -m lightmodel deploy docker --image IMAGE` deploys any image",
            )
        return self.deploy(previous)

    def check(self) -> str:
        """Return what keeps the service from answering; "" where it answers.

        One missed question is no reason to act, and a container that is just starting gets its time.

        Raises:
            SourceUnavailable: no engine answers.
        """
        with translate_docker_errors("cannot look at the Docker host"):
            for remaining in reversed(range(_LOOKS)):
                proxy = engine.find_container(self.client, f"{self.settings.name}-proxy")
                live = self._live()
                wrong = _state(proxy, "the proxy") or _state(live, "the service")
                if not wrong and proxy:
                    answer = Proxy(proxy).ask(f"{HERE}/ready")
                    wrong = "" if answer.status == OK else f"the service does not answer: {answer}"
                if not wrong or (live and self._is_starting(live)):
                    return ""
                if remaining:
                    time.sleep(_LOOK_S)
        return wrong

    def restart(self) -> None:
        """Start what does not run, restart what does not answer, make anew what is gone.

        Raises:
            DeployFailed: it does not become ready all the same.
            AlreadyRunning: a deployment is under way, which will see to it.
            ConfigError: the image that answered last is gone.
        """
        engine.image_of(self.client, self._live_image, "nothing was deployed here under this name")
        with translate_docker_errors("cannot start the service again"), self._alone():
            proxy = containers.open_proxy(self.client, self.settings)
            live = self._live()
            if live is not None:
                logger.info("restarting %s, which is %s", live.name, live.status)
                live.restart(timeout=_RESTART_S)
                engine.keep_running(live)
                wait_until_ready(
                    lambda path, body: proxy.ask(HERE + path, body), self.settings.ready_timeout_s
                )
                return
        self.deploy(self._live_image)

    @property
    def _live_image(self) -> str:
        return f"{self.settings.name}:{_LIVE}"

    def _is_starting(self, live: "Container") -> bool:
        started = datetime.fromisoformat(live.attrs["State"]["StartedAt"][:19] + "+00:00")
        age = (datetime.now(UTC) - started).total_seconds()
        again_and_again = live.attrs["RestartCount"] > _RESTARTS
        young = live.status == "running" and age < self.settings.ready_timeout_s
        return young and not again_and_again

    def _alone(self) -> AbstractContextManager[None]:
        build = "`docker build --target proxy -t light-model-proxy .`"
        engine.image_of(self.client, PROXY_IMAGE, build)
        seconds = self.settings.ready_timeout_s + self.settings.watch_s + 3 * STOP_S
        return engine.lock(self.client, f"{self.settings.name}-deploying", PROXY_IMAGE, seconds)

    def _live(self) -> "Container | None":
        """Return the container that gets the requests, running or not."""
        proxy = engine.find_container(self.client, f"{self.settings.name}-proxy")
        if proxy is None or proxy.status != "running":
            return None
        return engine.find_container(self.client, f"{self.settings.name}-{Proxy(proxy).live()}")

    def _is_this(self, live: "Container", image: "Image") -> bool:
        same = live.labels.get(containers.SETTINGS) == containers.settings_hash(self.settings)
        return same and live.labels.get(containers.IMAGE) == image.id

    def _answers(self, proxy: Proxy, live: "Container", manifest: Manifest) -> bool:
        """Return whether what is live is whole, and see that it stays so."""
        if live.status != "running" or proxy.ask(f"{HERE}/ready").status != OK:
            return False
        engine.keep_running(live)  # a deployment that was killed had no time for it
        logger.info("%s answers already", manifest.version)
        return True

    def _replace(
        self, proxy: Proxy, live: "Container | None", image: "Image", manifest: Manifest
    ) -> None:
        """Start the new version, smoke-test it, switch, watch; or leave all as it was."""
        old = proxy.live()
        colour = _OTHER[old] if live else old
        left = engine.find_container(self.client, f"{self.settings.name}-{colour}")
        engine.remove(left)  # by a deployment that was killed
        previous = live.labels.get(containers.IMAGE, "") if live else ""
        container = containers.start_candidate(
            self.client, self.settings, str(image.id), colour, previous
        )
        candidate = Candidate(container, proxy, colour, manifest, key_of(self.settings))
        try:
            logger.info("%s started as %s", manifest.version, container.name)
            candidate.wait_until_ready(self.settings.ready_timeout_s)
            candidate.smoke_test(through_proxy=False)
            logger.info("it is ready, and scores the model's sample rows as stored; switching")
            proxy.switch(colour)
            candidate.smoke_test(through_proxy=True)
            candidate.watch(self.settings.watch_s)
        except BaseException:
            _take_back(proxy, old, container)
            raise
        engine.keep_running(container)
        _stop(live)


def _state(container: "Container | None", what: str) -> str:
    """Return what is wrong with a container by its state; listed is not alive."""
    if container is None:
        return f"{what} has no container"
    return "" if container.status == "running" else f"{what} is {container.status}"


def _take_back(proxy: Proxy, old: Colour, container: "Container") -> None:
    """Route requests to the old version again; what went wrong before matters more than this."""
    try:
        with translate_docker_errors("cannot take the new version back"):
            proxy.switch(old)
            engine.remove(container)
        logger.warning("the new version was removed; what answered before goes on")
    except LightModelError as error:
        logger.warning("%s; the next deployment does it", error.message)


def _stop(old: "Container | None") -> None:
    """Let the old version finish what is under way, and remove it."""
    if old is not None:
        old.stop(timeout=STOP_S)
        engine.remove(old)
        logger.info("the old version was removed")
