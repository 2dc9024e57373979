"""Azure's resources: the web app, its staging slot, and the group, plan and registry that they need.

Azure's own names are used only here, and its errors become those of this project.
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
PREVIOUS = "LIGHT_MODEL_PREVIOUS_IMAGE"  # a setting, as those are swapped with the image
SLOT = "staging"
PORT = "5001"
Resource = Any
"""A model of the SDK, or None where a function says so: its five packages share no base class."""

_ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_WITHOUT_ALWAYS_ON = ("F", "D")
_TIERS_WITH_SLOTS = ("S", "P", "I")
_LOGIN = (
    "set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET of a service principal, or sign in "
    "with `az login`"
)
_ROLE_HINT = (
    "it needs Contributor and, for the registry, User Access Administrator on the resource group"
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DesiredSite:
    """The desired state of a web app: its image and the previous one, by digest; "" for none."""

    image: str
    previous: str
    environment: dict[str, str]


def has_slots(sku: str) -> bool:
    """Return whether a plan has deployment slots: Standard, Premium and Isolated."""
    return sku.startswith(_TIERS_WITH_SLOTS)


@dataclass(frozen=True)
class Account:
    """The SDK's clients for one set of settings, and the operations that deployments need."""

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

    def ensure_resources(self) -> Resource:
        """Create the group, plan and registry that are missing; return the registry."""
        azure, groups = self.settings, self.groups.resource_groups
        if not groups.check_existence(azure.resource_group):
            groups.create_or_update(azure.resource_group, {"location": azure.location})
            logger.info("created the resource group %s", azure.resource_group)
        plan = self.find_plan()
        if plan is None or plan.sku.name != azure.sku:
            content = {
                "location": azure.location,
                "kind": "linux",
                "sku": {"name": azure.sku},
                "properties": {"reserved": True},
            }
            plans = self.web.app_service_plans
            plans.begin_create_or_update(azure.resource_group, azure.plan, content).result()
            logger.info("created or changed the plan %s, %s", azure.plan, azure.sku)
        return self.ensure_registry()

    def ensure_registry(self) -> Resource:
        """Return the registry; create a basic one without an administrator if it is missing."""
        registry = self.find_registry()
        if registry is not None:
            return registry
        azure = self.settings
        content = {
            "location": azure.location,
            "sku": {"name": "Basic"},
            "properties": {"adminUserEnabled": False},
        }
        registries = self.registries.registries
        return registries.begin_create(azure.resource_group, azure.registry, content).result()

    def running_image(self) -> str:
        """Return the image, by digest, that the web app is configured to run."""
        site = self.web.web_apps.get_configuration(*self._app)
        return str(site.properties.linux_fx_version or "").removeprefix("DOCKER|")

    def running_settings(self) -> dict[str, str]:
        """Return the web app's environment."""
        settings = self.web.web_apps.list_application_settings(*self._app)
        return dict(settings.properties or {})

    def write_site(self, desired: DesiredSite, registry: str, slot: str = "") -> Resource:
        """Create or update the web app or a slot, let it pull from the registry (an id), and restart it."""
        content = _site_content(self.settings, str(self.find_plan().id), desired)
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
        """Swap staging and production; no request is lost."""
        entity = {"targetSlot": SLOT, "preserveVnet": True}
        self.web.web_apps.begin_swap_slot_with_production(*self._app, entity).result()

    def _allow_pull(self, registry: str, principal: str) -> None:
        """Let a web app's own identity pull from the registry; repeating this is harmless."""
        from azure.core.exceptions import ResourceExistsError

        prefix = f"/subscriptions/{self.settings.subscription}/providers"
        role = f"{prefix}/Microsoft.Authorization/roleDefinitions/{_ACR_PULL}"
        content = {
            "properties": {
                "roleDefinitionId": role,
                "principalId": principal,
                "principalType": "ServicePrincipal",  # else Azure may not find it yet
            }
        }
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{registry}/{principal}/{_ACR_PULL}"))
        with suppress(ResourceExistsError):
            self.roles.role_assignments.create(registry, name, content)


def open_account(settings: AzureSection) -> Account:
    """Create the clients, without connecting.

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
            "deploying to Azure needs its SDK, which is not installed",
            hint="`pip install -r requirements/deploy-azure.txt`",
        ) from None
    logging.getLogger("azure").setLevel(logging.WARNING)  # it logs each request, with its headers
    url = settings.management.rstrip("/")
    other = url != PUBLIC  # another cloud, unknown to Microsoft's public directory
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
    """Translate errors of Azure's SDK.

    Raises:
        ConfigError: Azure rejects the credentials, or denies permission.
        SourceUnavailable: Azure does not answer, fails, or limits the rate.
        DeployFailed: Azure rejects the request.
    """
    from azure.core import exceptions

    try:
        yield
    except exceptions.ClientAuthenticationError as error:
        reason = str(error.message).splitlines()[0]
        raise ConfigError(f"{what}: Azure rejects the credentials: {reason}", hint=_LOGIN) from None
    except (exceptions.ServiceRequestError, exceptions.ServiceResponseError) as error:
        raise SourceUnavailable(
            f"{what}: Azure does not answer: {type(error).__name__}",
            hint="check the network and azure.management",
        ) from None
    except exceptions.HttpResponseError as error:
        raise _refused(what, error.status_code or 0, str(error.message).splitlines()[0]) from error


def app_settings(start_timeout_s: int, desired: DesiredSite) -> dict[str, str]:
    """Return the environment that App Service starts the container with."""
    return {
        **desired.environment,
        "WEBSITES_PORT": PORT,
        "PORT": PORT,
        "WEBSITES_CONTAINER_START_TIME_LIMIT": str(start_timeout_s),
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
        PREVIOUS: desired.previous,
    }


def _site_content(settings: AzureSection, plan: str, desired: DesiredSite) -> dict[str, Any]:
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
                "linuxFxVersion": f"DOCKER|{desired.image}",
                "acrUseManagedIdentityCreds": True,
                "alwaysOn": not settings.sku.startswith(_WITHOUT_ALWAYS_ON),
                "healthCheckPath": "/ready",
                "http20Enabled": True,
                "ftpsState": "Disabled",
                "minTlsVersion": "1.2",
                "appSettings": [
                    {"name": name, "value": value}
                    for name, value in app_settings(settings.start_timeout_s, desired).items()
                ],
            },
        },
    }


def _found_or_none(get: Callable[..., Resource], *names: str) -> Resource:
    """Return a resource; None if it does not exist."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return get(*names)
    except ResourceNotFoundError:
        return None


def _refused(what: str, status: int, reason: str) -> ConfigError | SourceUnavailable | DeployFailed:
    if status == 403:
        return ConfigError(f"{what}: Azure denies permission: {reason}", hint=_ROLE_HINT)
    if status == 429 or status >= 500:
        return SourceUnavailable(f"{what}: Azure answers {status}: {reason}")
    return DeployFailed(f"{what}: Azure answers {status}: {reason}")
