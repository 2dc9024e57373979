"""A container registry at Azure: made where it is missing, and given the image."""

from typing import TYPE_CHECKING

import requests

from lightmodel.delivery.azure_account import Account, Resource, found_or_none
from lightmodel.errors import ConfigError, DeployFailed, SourceUnavailable

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.images import Image

_ANYBODY = "00000000-0000-0000-0000-000000000000"  # the user of a token, says the registry
_TIMEOUT_S = 30


def find_registry(account: Account) -> Resource:
    """Give the registry, or None."""
    settings = account.settings
    return found_or_none(
        account.registries.registries.get, settings.resource_group, settings.registry
    )


def make_registry(account: Account) -> Resource:
    """Give the registry; make a basic one without an administrator where there is none."""
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
    """Give what the engine logs in with: a token of this account; None where nobody is asked.

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
