"""A web app, or its staging slot, as it should be; Azure's wire names stand here and nowhere else."""

import uuid
from dataclasses import dataclass
from typing import Any

from lightmodel.delivery.azure_account import Account, Resource, found_or_none

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
    """Say whether a plan has deployment slots: Standard, Premium and Isolated."""
    return sku.startswith(_SLOTS)


def site_content(account: Account, plan: str, wanted: Wanted) -> dict[str, Any]:
    """Give the body of a web app, or of a slot.

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
    """Give the environment that App Service starts the container with."""
    return {
        **wanted.environment,
        "WEBSITES_PORT": PORT,
        "PORT": PORT,
        "WEBSITES_CONTAINER_START_TIME_LIMIT": str(start_seconds),
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
        PREVIOUS: wanted.previous,
    }


def find_site(account: Account) -> Resource:
    """Give the web app, or None."""
    settings = account.settings
    return found_or_none(account.web.web_apps.get, settings.resource_group, settings.app)


def running_image(account: Account) -> str:
    """Give the image that the web app is set to, by digest."""
    settings = account.settings
    found = account.web.web_apps.get_configuration(settings.resource_group, settings.app)
    return str(found.properties.linux_fx_version or "").removeprefix("DOCKER|")


def running_settings(account: Account) -> dict[str, str]:
    """Give the web app's environment."""
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
