"""Deploy to Azure App Service: a web app for containers, smoke-tested at its public address."""

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
    DesiredSite,
    Resource,
    app_settings,
    has_slots,
    open_account,
    translate_azure_errors,
)
from lightmodel.delivery.base import DeploymentResult
from lightmodel.delivery.containers import environment_of
from lightmodel.delivery.engine import connect, image_of, manifest_of, push, translate_docker_errors
from lightmodel.delivery.smoke_test import Ask, key_of, over_http, smoke_test, wait_until_ready
from lightmodel.errors import ArtefactMissing, ConfigError, DeployFailed, SourceUnavailable
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient

logger = logging.getLogger(__name__)

_BUILD_HINT = "`docker build -t light-model .` makes one"
_REGISTRY_USER = "00000000-0000-0000-0000-000000000000"  # what a registry expects with a token
_POLL_S = 1.0
_TIMEOUT_S = 30


def open_app_service(config: Config) -> "AppService":
    """Return the web app at Azure that the settings name.

    Raises:
        ConfigError: a name is not set, or the SDK is not installed.
        SourceUnavailable: the Docker engine, which holds the image, does not answer.
    """
    return AppService(open_account(config.azure), connect(), config.deploy)


@dataclass(frozen=True)
class AppService:
    """One web app, deployed from a Docker engine; see `Deployment`."""

    account: Account
    client: "DockerClient"
    settings: DeploySection

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do; see `Deployment`."""
        with translate_docker_errors("cannot inspect the image"):
            resolved = image_of(self.client, image, _BUILD_HINT)
            manifest = manifest_of(self.client, str(resolved.id))
        azure = self.account.settings
        with translate_azure_errors("cannot inspect Azure"):
            group = self.account.groups.resource_groups.check_existence(azure.resource_group)
            resources = {
                f"resource group {azure.resource_group} in {azure.location}": group,
                f"registry {azure.registry}, Basic": group and self.account.find_registry(),
                f"plan {azure.plan}, Linux, {azure.sku}": group and self.account.find_plan(),
                f"web app {azure.app}": group and self.account.find_site(),
            }
        return [
            *(f"{'keep' if exists else 'create'} {what}" for what, exists in resources.items()),
            f"push {image} ({manifest.version}) to {azure.registry}, and deploy it {self._how}",
            f"compare its answers to {len(manifest.samples)} sample rows with its manifest",
        ]

    @property
    def _how(self) -> str:
        slots = has_slots(self.account.settings.sku)
        return "by a swap with the slot staging" if slots else "by a restart"

    def deploy(self, image: str) -> DeploymentResult:
        """Deploy an image; see `Deployment`."""
        with (
            translate_docker_errors(f"cannot push {image}"),
            translate_azure_errors(f"cannot deploy {image}"),
        ):
            resolved = image_of(self.client, image, _BUILD_HINT)
            manifest = manifest_of(self.client, str(resolved.id))
            registry = self.account.ensure_resources()
            server = str(registry.properties.login_server)
            repository = f"{server}/{self.settings.name}"
            reference = push(self.client, resolved, repository, self._login(server))
            logger.info("pushed %s", reference)
            return self._release(reference, manifest, str(registry.id))

    def plan_rollback(self) -> list[str]:
        """Return what `rollback` would do; see `Deployment`."""
        with translate_azure_errors("cannot inspect Azure"):
            previous = self._previous()
        return [
            f"deploy {previous} again {self._how}",
            "compare its answers to the sample rows with its manifest",
        ]

    def rollback(self) -> DeploymentResult:
        """Deploy the previous image again; see `Deployment`."""
        with (
            translate_docker_errors("cannot read the image"),
            translate_azure_errors("cannot roll back"),
        ):
            previous = self._previous()
            registry = self.account.ensure_registry()
            login = self._login(str(registry.properties.login_server))
            self.client.images.pull(previous, auth_config=login)
            manifest = manifest_of(self.client, previous)
            return self._release(previous, manifest, str(registry.id))

    def _previous(self) -> str:
        settings = self.account.running_settings() if self.account.find_site() else {}
        if not settings.get(PREVIOUS):
            raise ArtefactMissing(
                f"{self.account.settings.app} has no previous version",
                hint="`python -m lightmodel deploy azure --image IMAGE` deploys any image",
            )
        return settings[PREVIOUS]

    def _login(self, server: str) -> dict[str, str] | None:
        """Return the engine's login, a token of this account; None if no login is needed.

        Raises:
            SourceUnavailable: the registry does not answer.
            ConfigError: it rejects the account's token.
        """
        # Like the engine, speak HTTP to a local registry.
        local = server.partition(":")[0] in {"localhost", "127.0.0.1"}
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
                f"{server} rejects the token of this account ({answer.status_code})",
                hint="it needs the role AcrPush on the registry, or Contributor",
            )
        return {"username": _REGISTRY_USER, "password": answer.json()["refresh_token"]}

    def _release(self, reference: str, manifest: Manifest, registry: str) -> DeploymentResult:
        environment = environment_of(self.settings)
        site = self.account.find_site()
        current = self.account.running_image() if site else ""
        desired = DesiredSite(reference, current, environment)
        if site and current == reference and self._is_live(site, desired, manifest):
            return DeploymentResult(reference, manifest.version, _address(site), changed=False)
        if site is None:
            site = self.account.write_site(desired, registry)
            logger.info("created the web app %s", self.account.settings.app)
            self._wait_for_version(site, manifest)
        elif has_slots(self.account.settings.sku):
            self._swap_in(site, desired, manifest, registry)
        else:
            self._restart_with(site, desired, manifest, registry)
        return DeploymentResult(reference, manifest.version, _address(site), changed=True)

    def _is_live(self, site: Resource, desired: DesiredSite, manifest: Manifest) -> bool:
        settings = app_settings(self.account.settings.start_timeout_s, desired)
        running = self.account.running_settings()
        if {**running, PREVIOUS: ""} != {**settings, PREVIOUS: ""}:
            return False
        try:
            smoke_test(self._ask(site), manifest)
        except DeployFailed:
            return False
        return True

    def _swap_in(
        self, site: Resource, desired: DesiredSite, manifest: Manifest, registry: str
    ) -> None:
        """Smoke-test the new version in the slot, and swap; swap again if it fails then."""
        slot = self.account.write_site(desired, registry, SLOT)
        self._wait_for_version(slot, manifest)
        self.account.swap()
        with _undo_on_failure(self.account.swap):
            self._wait_for_version(site, manifest)

    def _restart_with(
        self, site: Resource, desired: DesiredSite, manifest: Manifest, registry: str
    ) -> None:
        """Restart with the new version; if it fails, restart with the old one."""
        before = self.account.running_settings()

        def undo() -> None:
            older = before.pop(PREVIOUS, "")
            self.account.write_site(DesiredSite(desired.previous, older, before), registry)
            wait_until_ready(self._ask(site), self.account.settings.start_timeout_s)

        with _undo_on_failure(undo):
            self.account.write_site(desired, registry)
            self._wait_for_version(site, manifest)

    def _wait_for_version(self, site: Resource, manifest: Manifest) -> None:
        """Wait until the new version answers: the old one may still do so for a while."""
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
                time.sleep(_POLL_S)
            else:
                return

    def _ask(self, site: Resource) -> Ask:
        return over_http(_address(site), key_of(self.settings))


def _address(site: Resource) -> str:
    return f"https://{site.properties.default_host_name}"


@contextmanager
def _undo_on_failure(undo: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        logger.warning("the new version failed; restoring the old one")
        undo()
        raise
