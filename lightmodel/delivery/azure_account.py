"""An Azure subscription: its management clients, and their failures in our words."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lightmodel.config import AzureSection
from lightmodel.errors import ConfigError, DeployFailed, SourceUnavailable

PUBLIC = "https://management.azure.com"
Resource = Any
"""A model of the SDK, or None where a function says so: its five packages share no base class."""

_WHO = (
    "set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET of a service principal, or sign in "
    "with `az login`"
)
_ROLE = (
    "it needs Contributor and, for the registry, User Access Administrator on the resource group"
)


@dataclass(frozen=True)
class Account:
    """What one set of settings gives access to.

    Attributes:
        settings: of the section `azure`.
        credential: that asks for tokens.
        groups: client of resource groups.
        registries: client of container registries.
        roles: client of role assignments.
        web: client of plans and web apps.
    """

    settings: AzureSection
    credential: Any
    groups: Any
    registries: Any
    roles: Any
    web: Any

    @property
    def scope(self) -> str:
        """Of tokens for the management API."""
        return f"{self.settings.management.rstrip('/')}/.default"


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
def told_by_azure(what: str) -> Iterator[None]:
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


def found_or_none(ask: Callable[..., Resource], *names: str) -> Resource:
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
