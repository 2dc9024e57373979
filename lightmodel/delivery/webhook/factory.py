"""From a configuration to a webhook that reaches Jenkins."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from lightmodel.config import Config
from lightmodel.delivery.webhook.github import PATH, GitHubHooks
from lightmodel.errors import ConfigError


@dataclass(frozen=True)
class Way:
    """From GitHub to Jenkins.

    Attributes:
        url: public address of Jenkins.
        tunnelled: whether it lasts only as long as this process.
    """

    url: str
    tunnelled: bool


def hooks_of(config: Config) -> GitHubHooks:
    """Give the webhooks of the repository.

    Raises:
        ConfigError: repository or token is not set.
    """
    webhook = config.webhook
    if not webhook.repository:
        raise ConfigError("webhook.repository is not set", hint="as GitHub writes it: owner/name")
    return GitHubHooks(
        webhook.github_api, webhook.repository, _secret(webhook.github_token, "GITHUB_TOKEN")
    )


def secret_of(config: Config) -> str:
    """Give what GitHub signs with.

    Raises:
        ConfigError: it is not set.
    """
    return _secret(config.webhook.secret, "SECRET")


@contextmanager
def way_of(config: Config) -> Iterator[Way]:
    """Open the way that the settings name: a public address, or else a tunnel.

    Raises:
        ConfigError: a token is missing or refused.
        SourceUnavailable: the tunnel's service does not answer.
    """
    webhook = config.webhook
    if webhook.address:
        yield Way(webhook.address, tunnelled=False)
        return
    from lightmodel.delivery.tunnel.ngrok import Account, open_tunnel, policy

    token = _secret(webhook.ngrok_token, "NGROK_TOKEN")
    rules = policy(secret_of(config), PATH)
    account = Account(token, webhook.domain, webhook.ngrok_server, webhook.ngrok_ca)
    with open_tunnel(webhook.target, account, rules) as url:
        yield Way(url, tunnelled=True)


def _secret(value: SecretStr | None, name: str) -> str:
    if value is None or not value.get_secret_value():
        raise ConfigError(
            f"LIGHTMODEL__WEBHOOK__{name} is not set", hint="docs/config.md says what it is for"
        )
    return value.get_secret_value()
