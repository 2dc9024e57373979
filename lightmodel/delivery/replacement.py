"""Replace the live version of a service by another one: start, check, switch, watch, or restore."""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from lightmodel.config import DeploySection
from lightmodel.delivery import engine
from lightmodel.delivery.containers import STOP_S, WATCH_S, Candidate, start_candidate
from lightmodel.delivery.deployed_images import DeployedImages
from lightmodel.delivery.engine import translate_docker_errors
from lightmodel.delivery.proxy import OTHER_COLOUR, Colour, Proxy
from lightmodel.delivery.replicas import Replica, names_of, replicas_of
from lightmodel.delivery.smoke_test import key_of
from lightmodel.errors import LightModelError
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replacement:
    """The replacement of the replicas that are live; there are none before the first deployment."""

    client: "DockerClient"
    settings: DeploySection
    proxy: Proxy
    live: "list[Container]"

    def run(self, image: "Image", manifest: Manifest) -> None:
        """Start the new version, smoke-test it, switch, watch; on failure restore the old state.

        Its replicas are started one after the other, and get requests when all have passed.

        Raises:
            DeployFailed: the new version does not start, scores wrongly, or died while it was watched.
        """
        old = self.proxy.route().live
        colour = OTHER_COLOUR[old] if self.live else old
        # A deployment that was killed may have left containers.
        for left in replicas_of(self.client, self.settings.name, colour):
            engine.remove(left)
        images = DeployedImages(self.client, self.settings.name)
        reference = images.begin(image)
        replicas: list[Candidate] = []
        try:
            for number in range(1, self.settings.replicas + 1):
                replica = Replica(colour, number)
                replicas.append(self._start(replica, image, manifest, reference))
                replicas[-1].wait_until_ready(self.settings.ready_timeout_s)
                replicas[-1].smoke_test(through_proxy=False)
            self._switch(replicas)
        except BaseException:
            self._revert(old, replicas)
            with suppress(LightModelError), translate_docker_errors("cannot remove a tag"):
                images.discard(image, reference)  # or the next deployment does it
            raise
        for candidate in replicas:
            engine.keep_running(candidate.container)
        self.proxy.end_watch()
        self._remove_old()

    def _start(
        self, replica: Replica, image: "Image", manifest: Manifest, reference: str
    ) -> Candidate:
        """Start one replica of the new version."""
        container = start_candidate(
            self.client, self.settings, image, manifest, reference=reference, replica=replica
        )
        logger.info("%s started as %s", manifest.version, container.name)
        return Candidate(container, self.proxy, replica, manifest, key_of(self.settings))

    def _switch(self, replicas: list[Candidate]) -> None:
        """Route requests to the new version, and watch its replicas in turn.

        Raises:
            DeployFailed: it scores wrongly through the proxy, or a replica died.
        """
        first = replicas[0]
        logger.info("%s passed its smoke test; switching the proxy", first.manifest.version)
        self.proxy.switch(first.replica.colour, watched=bool(self.live))
        first.smoke_test(through_proxy=True)
        ends = time.monotonic() + self.settings.watch_s
        for replica in cycle(replicas):
            left = ends - time.monotonic()
            if left <= 0:
                break
            replica.watch(min(WATCH_S, left))

    def _revert(self, old: Colour, replicas: list[Candidate]) -> None:
        """Route requests to the old version again; a failure of this is only logged."""
        try:
            with translate_docker_errors("cannot remove the new version"):
                self.proxy.switch(old)
                for replica in replicas:
                    engine.remove(replica.container)
            logger.warning("the new version was removed; the old one keeps serving")
        except LightModelError as error:
            logger.warning("%s; the next deployment does it", error.message)

    def _remove_old(self) -> None:
        """Let the old version finish its requests, and remove it."""
        for replica in self.live:
            if replica.status == "paused":
                replica.unpause()
            replica.stop(timeout=STOP_S)
            engine.remove(replica)
        if self.live:
            logger.info("the old version was removed: %s", names_of(self.live))
