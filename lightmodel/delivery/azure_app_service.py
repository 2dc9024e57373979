"""Deploying to Azure App Service: a web app for containers, proved at its public address."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from lightmodel.config import Config, DeploySection
from lightmodel.delivery.azure_resources import (
    PREVIOUS,
    SLOT,
    Account,
    Resource,
    Wanted,
    app_settings,
    has_slots,
    open_account,
    translate_azure_errors,
)
from lightmodel.delivery.base import Deployed
from lightmodel.delivery.containers import environment_of
from lightmodel.delivery.engine import connect, image_of, manifest_of, translate_docker_errors
from lightmodel.delivery.interruption import raise_if_interrupted
from lightmodel.delivery.smoke_test import Ask, key_of, over_http, smoke_test, wait_until_ready
from lightmodel.errors import ArtefactMissing, ConfigError, DeployFailed, SourceUnavailable
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.images import Image

logger = logging.getLogger(__name__)

_BUILD = "`docker build -t light-model .` makes one"
_ANYBODY = "00000000-0000-0000-0000-000000000000"  # the user of a token, says the registry
_LOOK_S = 1.0
_TIMEOUT_S = 30


def open_app_service(config: Config) -> "AppService":
    """Return the web app at Azure that the settings name.

    Raises:
        ConfigError: a name is not set, or the SDK is not installed.
        SourceUnavailable: no engine answers, which holds the image.
    """
    return AppService(open_account(config.azure), connect(), config.deploy)


@dataclass(frozen=True)
class AppService:
    """One web app, whose image an engine holds; see `Deployment`."""

    account: Account
    client: "DockerClient"
    settings: DeploySection

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
                f"registry {azure.registry}, Basic": group and self.account.find_registry(),
                f"plan {azure.plan}, Linux, {azure.sku}": group and self.account.find_plan(),
                f"web app {azure.app}": group and self.account.find_site(),
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
            registry = self.account.make_surroundings()
            reference = self._push(found, str(registry.properties.login_server))
            logger.info("pushed %s", reference)
            return self._bring_in(reference, manifest, str(registry.id))

    def rollback(self) -> Deployed:
        """Bring back the image that answered before; see `Deployment`."""
        with (
            translate_docker_errors("cannot read the image"),
            translate_azure_errors("cannot roll back"),
        ):
            settings = self.account.running_settings() if self.account.find_site() else {}
            previous = settings.get(PREVIOUS, "")
            if not previous:
                raise ArtefactMissing(
                    f"{self.account.settings.app} has no previous version",
                    hint="`python -m lightmodel deploy azure --image IMAGE` deploys any image",
                )
            registry = self.account.make_registry()
            login = self._login(str(registry.properties.login_server))
            self.client.images.pull(previous, auth_config=login)
            manifest = manifest_of(self.client, previous)
            return self._bring_in(previous, manifest, str(registry.id))

    def _push(self, image: "Image", server: str) -> str:
        """Push an image; return its reference by digest, which cannot be moved to another.

        Raises:
            DeployFailed: the registry does not take it.
            SourceUnavailable, ConfigError: see `_login`.
        """
        repository = f"{server}/{self.settings.name}"
        tag = str(image.id).rpartition(":")[2][:12]
        image.tag(repository, tag)
        login = self._login(server)
        images, digest = self.client.images, ""
        for line in images.push(repository, tag, auth_config=login, stream=True, decode=True):
            raise_if_interrupted()
            if "error" in line:
                raise DeployFailed(f"{server} does not take the image: {line['error']}")
            digest = line.get("aux", {}).get("Digest", digest)
        images.remove(f"{repository}:{tag}")  # the image keeps its own names
        if not digest:
            raise DeployFailed(f"{server} did not say under which digest it keeps the image")
        return f"{repository}@{digest}"

    def _login(self, server: str) -> dict[str, str] | None:
        """Return what the engine logs in with: a token of this account; None where nobody is asked.

        Raises:
            SourceUnavailable: the registry does not answer.
            ConfigError: it does not take the account's token.
        """
        local = server.partition(":")[0] in {
            "localhost",
            "127.0.0.1",
        }  # as the engine itself has it
        url = f"{'http' if local else 'https'}://{server}"
        try:
            if requests.get(f"{url}/v2/", timeout=_TIMEOUT_S).ok:
                return None
            content = {
                "grant_type": "access_token",
                "service": server,
                "access_token": self.account.token(),
            }
            answer = requests.post(f"{url}/oauth2/exchange", data=content, timeout=_TIMEOUT_S)
        except requests.RequestException as error:
            raise SourceUnavailable(f"{server} does not answer: {type(error).__name__}") from None
        if not answer.ok:
            raise ConfigError(
                f"{server} does not take the token of this account ({answer.status_code})",
                hint="it needs the role AcrPush on the registry, or Contributor",
            )
        return {"username": _ANYBODY, "password": answer.json()["refresh_token"]}

    def _bring_in(self, reference: str, manifest: Manifest, registry: str) -> Deployed:
        environment = environment_of(self.settings)
        site = self.account.find_site()
        current = self.account.running_image() if site else ""
        wanted = Wanted(reference, current, environment)
        if site and current == reference and self._answers_already(site, wanted, manifest):
            return Deployed(reference, manifest.version, _address(site), changed=False)
        if site is None:
            site = self.account.write_site(wanted, registry)
            logger.info("made the web app %s", self.account.settings.app)
            self._settle(site, manifest)
        elif has_slots(self.account.settings.sku):
            self._swap_in(site, wanted, manifest, registry)
        else:
            self._restart_with(site, wanted, manifest, registry)
        return Deployed(reference, manifest.version, _address(site), changed=True)

    def _answers_already(self, site: Resource, wanted: Wanted, manifest: Manifest) -> bool:
        settings = app_settings(self.account.settings.start_timeout_s, wanted)
        running = self.account.running_settings()
        if {**running, PREVIOUS: ""} != {**settings, PREVIOUS: ""}:
            return False
        try:
            smoke_test(self._ask(site), manifest)
        except DeployFailed:
            return False
        return True

    def _swap_in(self, site: Resource, wanted: Wanted, manifest: Manifest, registry: str) -> None:
        """Smoke-test the new version in the slot, and swap; swap back where it fails after that."""
        slot = self.account.write_site(wanted, registry, SLOT)
        self._settle(slot, manifest)
        self.account.swap()
        with _or_back(self.account.swap):
            self._settle(site, manifest)

    def _restart_with(
        self, site: Resource, wanted: Wanted, manifest: Manifest, registry: str
    ) -> None:
        """Restart with the new version, and with the old one again where it fails."""
        before = self.account.running_settings()

        def back() -> None:
            older = before.pop(PREVIOUS, "")
            self.account.write_site(Wanted(wanted.previous, older, before), registry)
            wait_until_ready(self._ask(site), self.account.settings.start_timeout_s)

        with _or_back(back):
            self.account.write_site(wanted, registry)
            self._settle(site, manifest)

    def _settle(self, site: Resource, manifest: Manifest) -> None:
        """Wait until the new version answers: the old one may do so for a while."""
        ends = time.monotonic() + self.account.settings.start_timeout_s
        ask = self._ask(site)
        while True:
            try:
                wait_until_ready(ask, max(0.0, ends - time.monotonic()))
                smoke_test(ask, manifest)
            except DeployFailed as error:
                if time.monotonic() > ends:
                    message = f"the new version at {_address(site)}: {error.message}"
                    raise DeployFailed(message, hint=error.hint) from error
                time.sleep(_LOOK_S)
            else:
                return

    def _ask(self, site: Resource) -> Ask:
        return over_http(_address(site), key_of(self.settings))


def _address(site: Resource) -> str:
    return f"https://{site.properties.default_host_name}"


@contextmanager
def _or_back(back: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        logger.warning("the new version failed; the old one is brought back")
        back()
        raise
