"""A web app, or its staging slot, as it should be; Azure's wire names stand here and nowhere else."""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from lightmodel.delivery.azure_account import Account, Resource, found_or_none
from lightmodel.errors import ConfigError, DeployFailed, SourceUnavailable

PREVIOUS = "LIGHT_MODEL_PREVIOUS_IMAGE"  # a setting, for settings are swapped with the image
SLOT = "staging"
PORT = "5001"
_ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_ALWAYS_ON_FROM_B = ("F", "D")
_SLOTS = ("S", "P", "I")


@dataclass(frozen=True)
class Wanted:
    """How a web app should be.

    Attributes:
        image: by digest.
        previous: that answered before; "" for none.
        environment: of the service.
    """

    image: str
    previous: str
    environment: dict[str, str]


def has_slots(sku: str) -> bool:
    """Return whether a plan has deployment slots: Standard, Premium and Isolated."""
    return sku.startswith(_SLOTS)


def site_content(account: Account, plan: str, wanted: Wanted) -> dict[str, Any]:
    """Return the body of a web app, or of a slot.

    Args:
        account: whose settings it is for.
        plan: id of the plan.
        wanted: what it should run.
    """
    settings = account.settings
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
                    for name, value in app_settings(settings.start_seconds, wanted).items()
                ],
            },
        },
    }


def app_settings(start_seconds: int, wanted: Wanted) -> dict[str, str]:
    """Return the environment that App Service starts the container with."""
    return {
        **wanted.environment,
        "WEBSITES_PORT": PORT,
        "PORT": PORT,
        "WEBSITES_CONTAINER_START_TIME_LIMIT": str(start_seconds),
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
        PREVIOUS: wanted.previous,
    }


def find_site(account: Account) -> Resource:
    """Return the web app, or None."""
    settings = account.settings
    return found_or_none(account.web.web_apps.get, settings.resource_group, settings.app)


def running_image(account: Account) -> str:
    """Return the image that the web app is set to, by digest."""
    settings = account.settings
    found = account.web.web_apps.get_configuration(settings.resource_group, settings.app)
    return str(found.properties.linux_fx_version or "").removeprefix("DOCKER|")


def running_settings(account: Account) -> dict[str, str]:
    """Return the web app's environment."""
    settings = account.settings
    found = account.web.web_apps.list_application_settings(settings.resource_group, settings.app)
    return dict(found.properties or {})


def write_site(account: Account, content: dict[str, Any], slot: str = "") -> Resource:
    """Make or change the web app, or a slot of it."""
    settings, apps = account.settings, account.web.web_apps
    names = (settings.resource_group, settings.app)
    if slot:
        return apps.begin_create_or_update_slot(*names, slot, content).result()
    return apps.begin_create_or_update(*names, content).result()


def restart(account: Account, slot: str = "") -> None:
    """Start the containers anew."""
    settings, apps = account.settings, account.web.web_apps
    if slot:
        apps.restart_slot(settings.resource_group, settings.app, slot)
    else:
        apps.restart(settings.resource_group, settings.app)


def swap(account: Account) -> None:
    """Let staging and production change places; requests go on."""
    settings = account.settings
    entity = {"targetSlot": SLOT, "preserveVnet": True}
    swapping = account.web.web_apps.begin_swap_slot_with_production(
        settings.resource_group, settings.app, entity
    )
    swapping.result()


def allow_pull(account: Account, registry: str, principal: str) -> None:
    """Let a web app's own identity pull from the registry; a second time changes nothing."""
    from azure.core.exceptions import ResourceExistsError

    prefix = f"/subscriptions/{account.settings.subscription}/providers"
    role = f"{prefix}/Microsoft.Authorization/roleDefinitions/{_ACR_PULL}"
    content = {
        "properties": {
            "roleDefinitionId": role,
            "principalId": principal,
            "principalType": "ServicePrincipal",  # or Azure looks for it before it is everywhere
        }
    }
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{registry}/{principal}/{_ACR_PULL}"))
    try:
        account.roles.role_assignments.create(registry, name, content)
    except ResourceExistsError:
        return


if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.images import Image

_ANYBODY = "00000000-0000-0000-0000-000000000000"  # the user of a token, says the registry
_TIMEOUT_S = 30


def find_registry(account: Account) -> Resource:
    """Return the registry, or None."""
    settings = account.settings
    return found_or_none(
        account.registries.registries.get, settings.resource_group, settings.registry
    )


def make_registry(account: Account) -> Resource:
    """Return the registry; make a basic one without an administrator where there is none."""
    found = find_registry(account)
    if found is not None:
        return found
    settings = account.settings
    content = {
        "location": settings.location,
        "sku": {"name": "Basic"},
        "properties": {"adminUserEnabled": False},
    }
    making = account.registries.registries.begin_create(
        settings.resource_group, settings.registry, content
    )
    return making.result()


def push_image(
    account: Account, client: "DockerClient", image: "Image", server: str, name: str
) -> str:
    """Push an image; gives its reference by digest, which cannot be moved to another.

    Args:
        account: that may push.
        client: of the engine that holds the image.
        image: to push.
        server: of the registry.
        name: of the repository in it.

    Raises:
        DeployFailed: the registry does not take it.
        SourceUnavailable: the registry does not answer.
        ConfigError: the account may not push.
    """
    repository = f"{server}/{name}"
    tag = str(image.id).rpartition(":")[2][:12]
    image.tag(repository, tag)
    login = registry_login(account, server)
    digest = ""
    for line in client.images.push(repository, tag, auth_config=login, stream=True, decode=True):
        if "error" in line:
            raise DeployFailed(f"{server} does not take the image: {line['error']}")
        digest = line.get("aux", {}).get("Digest", digest)
    client.images.remove(f"{repository}:{tag}")  # the image keeps its own names
    if not digest:
        raise DeployFailed(f"{server} did not say under which digest it keeps the image")
    return f"{repository}@{digest}"


def registry_login(account: Account, server: str) -> dict[str, str] | None:
    """Return what the engine logs in with: a token of this account; None where nobody is asked.

    Raises:
        SourceUnavailable: the registry does not answer.
        ConfigError: it does not take the account's token.
    """
    local = server.partition(":")[0] in {"localhost", "127.0.0.1"}  # as the engine itself has it
    url = f"{'http' if local else 'https'}://{server}"
    try:
        if requests.get(f"{url}/v2/", timeout=_TIMEOUT_S).ok:
            return None
        content = {
            "grant_type": "access_token",
            "service": server,
            "access_token": account.credential.get_token(account.scope).token,
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
