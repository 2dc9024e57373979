"""Deploying to Azure App Service: a web app for containers, proved at its public address."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightmodel.config import DeploySection
from lightmodel.delivery import azure_resources
from lightmodel.delivery.azure_account import (
    Account,
    Resource,
    found_or_none,
    translate_azure_errors,
)
from lightmodel.delivery.azure_resources import (
    SLOT,
    Wanted,
    find_registry,
    has_slots,
    make_registry,
    push_image,
    registry_login,
)
from lightmodel.delivery.base import Deployed
from lightmodel.delivery.candidate import environment_of
from lightmodel.delivery.engine import image_of, manifest_of, translate_docker_errors
from lightmodel.delivery.smoke_test import over_http, smoke_test, wait_until_ready
from lightmodel.errors import ArtefactMissing, DeployFailed
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient

logger = logging.getLogger(__name__)

_BUILD = "`docker build -t light-model .` makes one"
_LOOK_S = 1.0


@dataclass(frozen=True)
class AppService:
    """One web app; see `Deployment`.

    Attributes:
        account: that may change it.
        client: of the engine that holds the image.
        settings: of the service.
        api_key: for asking it; "" where it wants none.
    """

    account: Account
    client: "DockerClient"
    settings: DeploySection
    api_key: str = ""

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do; see `Deployment`."""
        with translate_docker_errors("cannot look at the image"):
            found = image_of(self.client, image, _BUILD)
            manifest = manifest_of(self.client, str(found.id))
        azure = self.account.settings
        with translate_azure_errors("cannot look at Azure"):
            group = self.account.groups.resource_groups.check_existence(azure.resource_group)
            there = {
                f"resource group {azure.resource_group} in {azure.location}": group,
                f"registry {azure.registry}, Basic": group and find_registry(self.account),
                f"plan {azure.plan}, Linux, {azure.sku}": group and self._find_plan(),
                f"web app {azure.app}": group and azure_resources.find_site(self.account),
            }
        how = "by a swap with the slot staging" if has_slots(azure.sku) else "by a restart"
        return [
            *(f"{'keep' if found else 'make'} {what}" for what, found in there.items()),
            f"push {image} ({manifest.version}) to {azure.registry}, and bring it in {how}",
            f"compare its answers to {len(manifest.samples)} sample rows with its manifest",
        ]

    def deploy(self, image: str) -> Deployed:
        """Bring an image into service; see `Deployment`."""
        with (
            translate_docker_errors(f"cannot push {image}"),
            translate_azure_errors(f"cannot deploy {image}"),
        ):
            found = image_of(self.client, image, _BUILD)
            manifest = manifest_of(self.client, str(found.id))
            registry = self._make_surroundings()
            name, server = self.settings.name, str(registry.properties.login_server)
            reference = push_image(self.account, self.client, found, server, name)
            logger.info("pushed %s", reference)
            return self._bring_in(reference, manifest, str(registry.id))

    def rollback(self) -> Deployed:
        """Bring back the image that answered before; see `Deployment`."""
        with (
            translate_docker_errors("cannot read the image"),
            translate_azure_errors("cannot roll back"),
        ):
            site = azure_resources.find_site(self.account)
            settings = azure_resources.running_settings(self.account) if site else {}
            previous = settings.get(azure_resources.PREVIOUS, "")
            if not previous:
                raise ArtefactMissing(
                    f"before what answers now, nothing did on {self.account.settings.app}",
                    hint="`python -m lightmodel deploy azure --image IMAGE` deploys any image",
                )
            registry = make_registry(self.account)
            login = registry_login(self.account, str(registry.properties.login_server))
            self.client.images.pull(previous, auth_config=login)
            manifest = manifest_of(self.client, previous)
            return self._bring_in(previous, manifest, str(registry.id))

    def _make_surroundings(self) -> Resource:
        """Make group, plan and registry where they are missing; give the registry."""
        azure, groups = self.account.settings, self.account.groups.resource_groups
        if not groups.check_existence(azure.resource_group):
            groups.create_or_update(azure.resource_group, {"location": azure.location})
            logger.info("made the resource group %s", azure.resource_group)
        found = self._find_plan()
        if found is None or found.sku.name != azure.sku:
            content = {
                "location": azure.location,
                "kind": "linux",
                "sku": {"name": azure.sku},
                "properties": {"reserved": True},
            }
            plans = self.account.web.app_service_plans
            plans.begin_create_or_update(azure.resource_group, azure.plan, content).result()
            logger.info("made the plan %s, %s", azure.plan, azure.sku)
        return make_registry(self.account)

    def _find_plan(self) -> Resource:
        azure = self.account.settings
        plans = self.account.web.app_service_plans
        return found_or_none(plans.get, azure.resource_group, azure.plan)

    def _bring_in(self, reference: str, manifest: Manifest, registry: str) -> Deployed:
        environment = environment_of(self.settings)
        site = azure_resources.find_site(self.account)
        current = azure_resources.running_image(self.account) if site else ""
        wanted = Wanted(reference, current, environment)
        if site and current == reference and self._answers_already(site, wanted, manifest):
            return Deployed(reference, manifest.version, _address(site), changed=False)
        if site is None:
            site = self._make_first(wanted, manifest, registry)
        elif has_slots(self.account.settings.sku):
            self._swap_in(site, wanted, manifest, registry)
        else:
            self._restart_with(site, wanted, manifest, registry)
        return Deployed(reference, manifest.version, _address(site), changed=True)

    def _answers_already(self, site: Resource, wanted: Wanted, manifest: Manifest) -> bool:
        settings = azure_resources.app_settings(self.account.settings.start_seconds, wanted)
        running = azure_resources.running_settings(self.account)
        if {**running, azure_resources.PREVIOUS: ""} != {**settings, azure_resources.PREVIOUS: ""}:
            return False
        try:
            smoke_test(over_http(_address(site), self.api_key), manifest)
        except DeployFailed:
            return False
        return True

    def _make_first(self, wanted: Wanted, manifest: Manifest, registry: str) -> Resource:
        site = self._write(wanted, registry)
        logger.info("made the web app %s", self.account.settings.app)
        self._settle(_address(site), manifest)
        return site

    def _swap_in(self, site: Resource, wanted: Wanted, manifest: Manifest, registry: str) -> None:
        """Let the new version prove itself in the slot, and swap; swap back where it fails after that."""
        slot = self._write(wanted, registry, SLOT)
        self._settle(_address(slot), manifest)
        azure_resources.swap(self.account)
        self._or_back(lambda: self._settle(_address(site), manifest), self._swap_back)

    def _swap_back(self) -> None:
        azure_resources.swap(self.account)

    def _restart_with(
        self, site: Resource, wanted: Wanted, manifest: Manifest, registry: str
    ) -> None:
        """Restart with the new version, and with the old one again where it fails."""
        before = azure_resources.running_settings(self.account)

        def back() -> None:
            older = before.pop(azure_resources.PREVIOUS, "")
            self._write(Wanted(wanted.previous, older, before), registry)
            ask = over_http(_address(site), self.api_key)
            wait_until_ready(ask, self.account.settings.start_seconds)

        def forth() -> None:
            self._write(wanted, registry)
            self._settle(_address(site), manifest)

        self._or_back(forth, back)

    def _or_back(self, forth: Callable[[], None], back: Callable[[], None]) -> None:
        try:
            forth()
        except BaseException:
            logger.warning("the new version failed; the old one is brought back")
            back()
            raise

    def _write(self, wanted: Wanted, registry: str, slot: str = "") -> Resource:
        """Make or change web app or slot, let it pull, and start it."""
        plan = str(self._find_plan().id)
        content = azure_resources.site_content(self.account, plan, wanted)
        written = azure_resources.write_site(self.account, content, slot)
        azure_resources.allow_pull(self.account, registry, str(written.identity.principal_id))
        azure_resources.restart(self.account, slot)
        return written

    def _settle(self, address: str, manifest: Manifest) -> None:
        """Wait until the new version answers: the old one may do so for a while."""
        ends = time.monotonic() + self.account.settings.start_seconds
        ask = over_http(address, self.api_key)
        while True:
            try:
                wait_until_ready(ask, max(0.0, ends - time.monotonic()))
                smoke_test(ask, manifest)
            except DeployFailed as error:
                if time.monotonic() > ends:
                    message = f"the new version at {address}: {error.message}"
                    raise DeployFailed(message, hint=error.hint) from error
                time.sleep(_LOOK_S)
            else:
                return


def _address(site: Resource) -> str:
    return f"https://{site.properties.default_host_name}"
