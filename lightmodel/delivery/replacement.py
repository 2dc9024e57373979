"""Replace the live version of a service by another one: start, check, switch, watch, or restore."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightmodel.config import DeploySection
from lightmodel.delivery import engine
from lightmodel.delivery.containers import STOP_S, Candidate, start_candidate
from lightmodel.delivery.deployed_images import DeployedImages
from lightmodel.delivery.engine import translate_docker_errors
from lightmodel.delivery.proxy import OTHER_COLOUR, Colour, Proxy
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
    """The replacement of the live version, which is None before the first deployment."""

    client: "DockerClient"
    settings: DeploySection
    proxy: Proxy
    live: "Container | None"

    def run(self, image: "Image", manifest: Manifest) -> None:
        """Start the new version, smoke-test it, switch, watch; on failure restore the old state.

        Raises:
            DeployFailed: the new version does not start, scores wrongly, or died while it was watched.
        """
        old = self.proxy.route().live
        colour = OTHER_COLOUR[old] if self.live else old
        name = f"{self.settings.name}-{colour}"
        # A deployment that was killed may have left a container.
        engine.remove(engine.find_container(self.client, name))
        images = DeployedImages(self.client, self.settings.name)
        reference = images.begin(image)
        container = None
        try:
            container = start_candidate(
                self.client, self.settings, image, manifest, reference=reference, colour=colour
            )
            logger.info("%s started as %s", manifest.version, name)
            self._check(Candidate(container, self.proxy, colour, manifest, key_of(self.settings)))
        except BaseException:
            self._revert(old, container)
            with suppress(LightModelError), translate_docker_errors("cannot remove a tag"):
                images.discard(image, reference)  # or the next deployment does it
            raise
        engine.keep_running(container)
        self.proxy.end_watch()
        self._remove_old()

    def _check(self, candidate: Candidate) -> None:
        candidate.wait_until_ready(self.settings.ready_timeout_s)
        candidate.smoke_test(through_proxy=False)
        version = candidate.manifest.version
        logger.info("%s passed its smoke test; switching the proxy", version)
        self.proxy.switch(candidate.colour, watched=self.live is not None)
        candidate.smoke_test(through_proxy=True)
        candidate.watch(self.settings.watch_s)

    def _revert(self, old: Colour, container: "Container | None") -> None:
        """Route requests to the old version again; a failure of this is only logged."""
        try:
            with translate_docker_errors("cannot remove the new version"):
                self.proxy.switch(old)
                engine.remove(container)
            logger.warning("the new version was removed; the old one keeps serving")
        except LightModelError as error:
            logger.warning("%s; the next deployment does it", error.message)

    def _remove_old(self) -> None:
        """Let the old version finish its requests, and remove it."""
        if self.live is None:
            return
        if self.live.status == "paused":
            self.live.unpause()
        self.live.stop(timeout=STOP_S)
        engine.remove(self.live)
        logger.info("the old version was removed")
