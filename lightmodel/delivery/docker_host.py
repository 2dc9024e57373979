"""Deploy to a Docker host: start the new version, switch the proxy, remove the old version."""

import logging
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lightmodel.config import Config, DeploySection
from lightmodel.delivery import containers, engine
from lightmodel.delivery.base import DeploymentResult
from lightmodel.delivery.containers import STOP_S
from lightmodel.delivery.deployed_images import DeployedImages
from lightmodel.delivery.engine import translate_docker_errors
from lightmodel.delivery.proxy import (
    OTHER_COLOUR,
    PROXY_IMAGE,
    PROXY_URL,
    Colour,
    Proxy,
    ask_from,
    open_proxy,
    published_port,
)
from lightmodel.delivery.replacement import Replacement
from lightmodel.delivery.replicas import (
    address_of_replica,
    deployed_count,
    failing,
    names_of,
    replicas_of,
)
from lightmodel.delivery.smoke_test import OK, check_address, wait_until_ready
from lightmodel.errors import ArtefactMissing
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

logger = logging.getLogger(__name__)

_BUILD_HINT = "`docker build -t light-model .` makes one"
_CHECKS, _POLL_S = 3, 2.0
_RESTART_S = 10
_MAX_RESTARTS = 2  # by Docker: more means that the container keeps failing


def open_docker_host(
    config: Config, *, renew_proxy: bool = False, replicas: int | None = None
) -> "DockerHost":
    """Return the service on the Docker host that DOCKER_HOST names; `replicas` replaces deploy.replicas.

    Raises:
        SourceUnavailable: no engine answers.
    """
    settings = config.deploy.model_copy(update={"replicas": replicas or config.deploy.replicas})
    return DockerHost(engine.connect(), settings, renew_proxy)


@dataclass(frozen=True)
class DockerHost:
    """One service on a Docker host; see `Deployment`.

    With `renew_proxy`, a proxy of an older image is replaced.
    """

    client: "DockerClient"
    settings: DeploySection
    renew_proxy: bool = False

    @property
    def name(self) -> str:
        """The name of the service."""
        return self.settings.name

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do; see `Deployment`."""
        with translate_docker_errors("cannot inspect the Docker host"):
            resolved = engine.image_of(self.client, image, _BUILD_HINT)
            manifest = engine.manifest_of(self.client, str(resolved.id))
            live = self._live()
            proxy = self._proxy()
        settings, port = self.settings, published_port(proxy) if proxy else 0
        times = f" {settings.replicas} times, one after the other," if settings.replicas > 1 else ""
        move = [f"move the proxy from port {port} to {settings.port}"]
        first = move if port not in {0, settings.port} else []
        if self._runs_image(live, resolved):
            return [
                *first,
                f"{image} ({manifest.version}) is live already: check it, change nothing",
            ]
        return [
            *first,
            f"start {image} ({manifest.version}){times} beside {names_of(live)}",
            f"wait until it is ready, at most {settings.ready_timeout_s:g} s",
            f"compare its answers to {len(manifest.samples)} sample rows with its manifest",
            f"switch port {settings.port} to it, and watch it for {settings.watch_s:g} s",
            f"remove {names_of(live)}, and images beyond {settings.keep_images}",
        ]

    def deploy(self, image: str) -> DeploymentResult:
        """Deploy an image; see `Deployment`."""
        with translate_docker_errors(f"cannot deploy {image}"), self._lock() as on_host:
            resolved = engine.image_of(self.client, image, _BUILD_HINT)
            manifest = engine.manifest_of(self.client, str(resolved.id))
            proxy = open_proxy(self.client, self.settings, renew=self.renew_proxy)
            self._go_back(proxy)
            live = self._live()
            changed = not (
                self._runs_image(live, resolved) and self._is_ready(proxy, live, manifest)
            )
            if changed:
                Replacement(self.client, self.settings, proxy, live).run(resolved, manifest)
            self._images.finish(resolved)
            self._images.retire(self.settings.keep_images)
            address = engine.address_of(self.client, self.settings.port)
            answer = ask_from(
                on_host, f"http://127.0.0.1:{self.settings.port}/ready", wait_s=_POLL_S
            )
        check_address(answer, address)
        return DeploymentResult(str(resolved.id), manifest.version, address, changed)

    def plan_rollback(self) -> list[str]:
        """Return what `rollback` would do; see `Deployment`."""
        return self.plan(self._previous())

    def rollback(self) -> DeploymentResult:
        """Deploy the previous image again; see `Deployment`."""
        return self.deploy(self._previous())

    def _previous(self) -> str:
        with translate_docker_errors("cannot inspect the Docker host"):
            previous = self._images.previous()
        if previous is None:
            raise ArtefactMissing(
                f"{self.settings.name} has no previous version",
                hint="`python -m lightmodel deploy docker --image IMAGE` deploys any image",
            )
        return str(previous.id)

    def check(self) -> str:
        """Return why the service does not answer; "" if it does.

        A single failed check does not count, and a container that is starting is given time.

        Raises:
            SourceUnavailable: no engine answers.
        """
        with translate_docker_errors("cannot inspect the Docker host"):
            for remaining in reversed(range(_CHECKS)):
                proxy, live = self._proxy(), self._live()
                fault = self._fault(proxy, live)
                if not fault or (live and all(map(self._is_starting, live))):
                    return ""
                if remaining:
                    time.sleep(_POLL_S)
        return fault

    def restart(self) -> None:
        """Start, restart or recreate the containers of the service that do not answer.

        Raises:
            DeployFailed: it still does not become ready.
            AlreadyRunning: a deployment is under way.
            ConfigError: the last deployed image is missing.
        """
        engine.image_of(self.client, self._images.live, "nothing was deployed under this name")
        with translate_docker_errors("cannot restart the service"), self._lock():
            proxy = open_proxy(self.client, self.settings)
            live = self._live()
            count = deployed_count(live)
            if live and len(live) == count:
                self._restart(proxy, live)
                return
        settings = self.settings.model_copy(update={"replicas": count or self.settings.replicas})
        replace(self, settings=settings).deploy(self._images.live)

    def _restart(self, proxy: Proxy, live: "list[Container]") -> None:
        """Restart the replicas that do not answer, or all, and wait until they do."""
        for one in failing(proxy, live) or live:
            logger.info("restarting %s, which is %s", one.name, one.status)
            one.restart(timeout=_RESTART_S)
            engine.keep_running(one)
            address = PROXY_URL if len(live) == 1 else address_of_replica(one)
            wait_until_ready(proxy.asking(address), self.settings.ready_timeout_s)

    def end_abandoned(self) -> str:
        """Undo a deployment that was killed while it watched a version; return how, "" if there is none.

        Raises:
            SourceUnavailable: no engine answers.
        """
        with translate_docker_errors("cannot end a killed deployment"):
            proxy = self._proxy()
            if self.is_locked() or proxy is None or proxy.status != "running":
                return ""
            if not Proxy(proxy).route().watched:
                return ""
            with self._lock():
                return self._go_back(Proxy(proxy))

    @property
    def _images(self) -> DeployedImages:
        return DeployedImages(self.client, self.settings.name)

    def _is_starting(self, live: "Container") -> bool:
        started = datetime.fromisoformat(live.attrs["State"]["StartedAt"][:19] + "+00:00")
        age = (datetime.now(UTC) - started).total_seconds()
        keeps_failing = live.attrs["RestartCount"] > _MAX_RESTARTS
        young = live.status == "running" and age < self.settings.ready_timeout_s
        return young and not keeps_failing

    def is_locked(self) -> bool:
        """Return whether a deployment is under way.

        Raises:
            SourceUnavailable: no engine answers.
        """
        with translate_docker_errors("cannot inspect the Docker host"):
            return engine.is_locked(self.client, self._lock_name)

    @property
    def _lock_name(self) -> str:
        return f"{self.settings.name}-deploying"

    def _lock(self) -> AbstractContextManager["Container"]:
        build = "`docker build --target proxy -t light-model-proxy .`"
        engine.image_of(self.client, PROXY_IMAGE, build)
        starting, stopping = self.settings.ready_timeout_s, 3 * STOP_S
        seconds = self.settings.replicas * (starting + stopping) + self.settings.watch_s
        return engine.lock(self.client, self._lock_name, PROXY_IMAGE, seconds)

    def _proxy(self) -> "Container | None":
        return engine.find_container(self.client, f"{self.settings.name}-proxy")

    def _live(self) -> "list[Container]":
        """Return the containers that get the requests, running or not."""
        proxy = self._proxy()
        if proxy is None or proxy.status != "running":
            return []
        return self._version(Proxy(proxy).route().live)

    def _version(self, colour: Colour) -> "list[Container]":
        return replicas_of(self.client, self.settings.name, colour)

    def _go_back(self, proxy: Proxy) -> str:
        """Undo a deployment that was killed while it watched a version; return how, "" if there is none."""
        route = proxy.route()
        if not route.watched:
            return ""
        new, old = self._version(route.live), self._version(OTHER_COLOUR[route.live])
        if not any(one.status == "running" for one in old):
            proxy.end_watch()
            return ""
        proxy.switch(OTHER_COLOUR[route.live])
        for one in new:
            engine.remove(one)
        done = (
            "a deployment was killed in its watch; the version before gets the requests again: "
            f"{names_of(old)}"
        )
        logger.warning("%s", done)
        return done

    def _runs_image(self, live: "list[Container]", image: "Image") -> bool:
        """Return whether each replica that the settings ask for is there, and runs the image."""
        wanted = containers.settings_hash(self.settings), image.id
        labels = [
            (one.labels.get(containers.SETTINGS), one.labels.get(containers.IMAGE)) for one in live
        ]
        return labels == [wanted] * self.settings.replicas

    def _is_ready(self, proxy: Proxy, live: "list[Container]", manifest: Manifest) -> bool:
        """Return whether all replicas are ready; if so, let Docker keep them running."""
        if self._fault(proxy.container, live) or failing(proxy, live):
            return False
        for one in live:
            engine.keep_running(one)  # a killed deployment may not have done so
        logger.info("%s is live already", manifest.version)
        return True

    def _fault(self, container: "Container | None", live: "list[Container]") -> str:
        """Return what is wrong with the proxy, the replicas, or their answer; "" for nothing."""
        fault = _problem_of(container, "the proxy")
        fault = fault or ("" if live else "the service has no container")
        if fault or container is None:
            return fault
        proxy, count = Proxy(container), deployed_count(live)
        if len(live) < count:
            return f"{count - len(live)} of {count} replicas have no container"
        if count == 1 and (fault := _problem_of(live[0], "the service")):
            return fault
        silent = [one for one in failing(proxy, live) if not self._is_starting(one)]
        if silent:
            return f"of {count} replicas do not answer: {names_of(silent)}"
        answer = proxy.ask(f"{PROXY_URL}/ready")
        return "" if answer.status == OK else f"the service does not answer: {answer}"


def _problem_of(container: "Container | None", what: str) -> str:
    """Return what is wrong with a container, by its state; "" for nothing."""
    if container is None:
        return f"{what} has no container"
    return "" if container.status == "running" else f"{what} is {container.status}"
