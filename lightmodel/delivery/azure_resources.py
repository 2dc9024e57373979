"""Azure's resources: a web app, or its staging slot, as it should be, and what it stands on.

Azure's wire names stand here and nowhere else, and its failures are put into our words.
"""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from lightmodel.config import AzureSection
from lightmodel.errors import ConfigError, DeployFailed, SourceUnavailable

PUBLIC = "https://management.azure.com"
PREVIOUS = "LIGHT_MODEL_PREVIOUS_IMAGE"  # a setting, for settings are swapped with the image
SLOT = "staging"
PORT = "5001"
Resource = Any
"""A model of the SDK, or None where a function says so: its five packages share no base class."""

_ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_ALWAYS_ON_FROM_B = ("F", "D")
_SLOTS = ("S", "P", "I")
_WHO = (
    "set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET of a service principal, or sign in "
    "with `az login`"
)
_ROLE = (
    "it needs Contributor and, for the registry, User Access Administrator on the resource group"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """How a web app should be: its image, and the one that answered before, by digest; "" for none."""

    image: str
    previous: str
    environment: dict[str, str]


def has_slots(sku: str) -> bool:
    """Return whether a plan has deployment slots: Standard, Premium and Isolated."""
    return sku.startswith(_SLOTS)


@dataclass(frozen=True)
class Account:
    """What one set of settings gives access to, by the SDK's clients, and what is done there."""

    settings: AzureSection
    credential: Any
    groups: Any
    registries: Any
    roles: Any
    web: Any

    @property
    def _app(self) -> tuple[str, str]:
        return self.settings.resource_group, self.settings.app

    def token(self) -> str:
        """Return a token for the management API."""
        scope = f"{self.settings.management.rstrip('/')}/.default"
        return str(self.credential.get_token(scope).token)

    def find_plan(self) -> Resource:
        """Return the plan, or None."""
        azure = self.settings
        return _found_or_none(self.web.app_service_plans.get, azure.resource_group, azure.plan)

    def find_registry(self) -> Resource:
        """Return the registry, or None."""
        azure = self.settings
        return _found_or_none(self.registries.registries.get, azure.resource_group, azure.registry)

    def find_site(self) -> Resource:
        """Return the web app, or None."""
        return _found_or_none(self.web.web_apps.get, *self._app)

    def make_surroundings(self) -> Resource:
        """Make group, plan and registry where they are missing; return the registry."""
        azure, groups = self.settings, self.groups.resource_groups
        if not groups.check_existence(azure.resource_group):
            groups.create_or_update(azure.resource_group, {"location": azure.location})
            logger.info("made the resource group %s", azure.resource_group)
        found = self.find_plan()
        if found is None or found.sku.name != azure.sku:
            content = {
                "location": azure.location,
                "kind": "linux",
                "sku": {"name": azure.sku},
                "properties": {"reserved": True},
            }
            plans = self.web.app_service_plans
            plans.begin_create_or_update(azure.resource_group, azure.plan, content).result()
            logger.info("made the plan %s, %s", azure.plan, azure.sku)
        return self.make_registry()

    def make_registry(self) -> Resource:
        """Return the registry; make a basic one without an administrator where there is none."""
        found = self.find_registry()
        if found is not None:
            return found
        azure = self.settings
        content = {
            "location": azure.location,
            "sku": {"name": "Basic"},
            "properties": {"adminUserEnabled": False},
        }
        registries = self.registries.registries
        return registries.begin_create(azure.resource_group, azure.registry, content).result()

    def running_image(self) -> str:
        """Return the image that the web app is set to, by digest."""
        found = self.web.web_apps.get_configuration(*self._app)
        return str(found.properties.linux_fx_version or "").removeprefix("DOCKER|")

    def running_settings(self) -> dict[str, str]:
        """Return the web app's environment."""
        found = self.web.web_apps.list_application_settings(*self._app)
        return dict(found.properties or {})

    def write_site(self, wanted: Wanted, registry: str, slot: str = "") -> Resource:
        """Make or change web app or slot, let it pull from the registry of this id, and start it."""
        content = _site_content(self.settings, str(self.find_plan().id), wanted)
        apps = self.web.web_apps
        if slot:
            written = apps.begin_create_or_update_slot(*self._app, slot, content).result()
        else:
            written = apps.begin_create_or_update(*self._app, content).result()
        self._allow_pull(registry, str(written.identity.principal_id))
        if slot:
            apps.restart_slot(*self._app, slot)
        else:
            apps.restart(*self._app)
        return written

    def swap(self) -> None:
        """Let staging and production change places; requests go on."""
        entity = {"targetSlot": SLOT, "preserveVnet": True}
        self.web.web_apps.begin_swap_slot_with_production(*self._app, entity).result()

    def _allow_pull(self, registry: str, principal: str) -> None:
        """Let a web app's own identity pull from the registry; a second time changes nothing."""
        from azure.core.exceptions import ResourceExistsError

        prefix = f"/subscriptions/{self.settings.subscription}/providers"
        role = f"{prefix}/Microsoft.Authorization/roleDefinitions/{_ACR_PULL}"
        content = {
            "properties": {
                "roleDefinitionId": role,
                "principalId": principal,
                "principalType": "ServicePrincipal",  # or Azure looks for it before it is everywhere
            }
        }
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{registry}/{principal}/{_ACR_PULL}"))
        with suppress(ResourceExistsError):
            self.roles.role_assignments.create(registry, name, content)


def open_account(settings: AzureSection) -> Account:
    """Build the clients; nothing is asked yet.

    Raises:
        ConfigError: the SDK is not installed, or a name is not set.
    """
    for name in ("subscription", "registry", "app"):
        if not getattr(settings, name):
            raise ConfigError(f"azure.{name} is not set", hint="docs/runbook.md, Azure, lists them")
    try:
        from azure.identity import DefaultAzureCredential
        from azure.mgmt.authorization import AuthorizationManagementClient
        from azure.mgmt.containerregistry import ContainerRegistryManagementClient
        from azure.mgmt.resource.resources import ResourceManagementClient
        from azure.mgmt.web import WebSiteManagementClient
    except ImportError:
        raise ConfigError(
            "deploying to Azure wants its SDK, which is not installed",
            hint="`pip install -r requirements/deploy-azure.txt`",
        ) from None
    logging.getLogger("azure").setLevel(logging.WARNING)  # it logs each request, with its headers
    url = settings.management.rstrip("/")
    other = url != PUBLIC  # an authority that Microsoft's public directory cannot vouch for
    credential = DefaultAzureCredential(disable_instance_discovery=other)
    more: dict[str, Any] = {"base_url": url, "credential_scopes": [f"{url}/.default"]}
    return Account(
        settings,
        credential,
        *(
            client(credential, settings.subscription, **more)
            for client in (
                ResourceManagementClient,
                ContainerRegistryManagementClient,
                AuthorizationManagementClient,
                WebSiteManagementClient,
            )
        ),
    )


@contextmanager
def translate_azure_errors(what: str) -> Iterator[None]:
    """Turn what Azure says of a failure into words.

    Raises:
        ConfigError: it does not know who asks, or does not let them.
        SourceUnavailable: it does not answer, or wants a pause.
        DeployFailed: it refuses.
    """
    from azure.core import exceptions

    try:
        yield
    except exceptions.ClientAuthenticationError as error:
        said = str(error.message).splitlines()[0]
        raise ConfigError(f"{what}: Azure does not know who asks: {said}", hint=_WHO) from None
    except (exceptions.ServiceRequestError, exceptions.ServiceResponseError) as error:
        raise SourceUnavailable(
            f"{what}: Azure does not answer: {type(error).__name__}",
            hint="is the network there, and azure.management right?",
        ) from None
    except exceptions.HttpResponseError as error:
        raise _refused(what, error.status_code or 0, str(error.message).splitlines()[0]) from error


def app_settings(start_timeout_s: int, wanted: Wanted) -> dict[str, str]:
    """Return the environment that App Service starts the container with."""
    return {
        **wanted.environment,
        "WEBSITES_PORT": PORT,
        "PORT": PORT,
        "WEBSITES_CONTAINER_START_TIME_LIMIT": str(start_timeout_s),
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
        PREVIOUS: wanted.previous,
    }


def _site_content(settings: AzureSection, plan: str, wanted: Wanted) -> dict[str, Any]:
    """Return the body of a web app, or of a slot, on the plan of this id."""
    return {
        "location": settings.location,
        "kind": "app,linux,container",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "serverFarmId": plan,
            "reserved": True,
            "httpsOnly": True,
            "siteConfig": {
                "linuxFxVersion": f"DOCKER|{wanted.image}",
                "acrUseManagedIdentityCreds": True,
                "alwaysOn": not settings.sku.startswith(_ALWAYS_ON_FROM_B),
                "healthCheckPath": "/ready",
                "http20Enabled": True,
                "ftpsState": "Disabled",
                "minTlsVersion": "1.2",
                "appSettings": [
                    {"name": name, "value": value}
                    for name, value in app_settings(settings.start_timeout_s, wanted).items()
                ],
            },
        },
    }


def _found_or_none(ask: Callable[..., Resource], *names: str) -> Resource:
    """Ask for a resource; None where there is none."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return ask(*names)
    except ResourceNotFoundError:
        return None


def _refused(what: str, status: int, said: str) -> ConfigError | SourceUnavailable | DeployFailed:
    if status == 403:
        return ConfigError(f"{what}: Azure does not allow it: {said}", hint=_ROLE)
    if status == 429 or status >= 500:
        return SourceUnavailable(f"{what}: Azure answers {status}: {said}")
    return DeployFailed(f"{what}: Azure answers {status}: {said}")
