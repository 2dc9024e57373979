"""GitHub's push webhook: registered by its REST API, and the route by which it reaches Jenkins."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from pydantic import SecretStr

from lightmodel.config import Config
from lightmodel.errors import ConfigError, DeployFailed, SourceUnavailable

PATH = "/github-webhook/"
_TUNNELS = (".ngrok-free.app", ".ngrok-free.dev", ".ngrok.app", ".ngrok.dev", ".ngrok.io")
_TIMEOUT_S = 20
_PAGE = 100
_PING_S, _LOOK_S = 20.0, 0.5
_SCOPE = "the token must read and write webhooks (fine-grained: Webhooks; classic: admin:repo_hook)"
_REFUSALS = {
    401: ("GitHub does not know the token", "set LIGHTMODEL__WEBHOOK__GITHUB_TOKEN to a valid one"),
    403: ("GitHub refuses the token", _SCOPE),
    404: ("GitHub shows no such repository to this token", f"check webhook.repository; {_SCOPE}"),
    422: ("GitHub does not take the webhook", "its address must be public, with https://"),
}
_ANSWERS = {
    302: "Jenkins redirects: the address lacks the slash at its end",
    400: "Jenkins refuses the signature: webhook.secret is not the one that Jenkins has",
    403: "refused: by the tunnel, whose secret is another, or by Jenkins, for the path is another",
    404: "no Jenkins with the GitHub plugin is there, or the tunnel was asked for another path",
}


@dataclass(frozen=True)
class GitHubHooks:
    """The webhooks of one repository.

    Attributes:
        api: address of the API.
        repository: owner/name.
        token: of somebody who may change webhooks.
    """

    api: str
    repository: str
    token: str

    def register(self, url: str, secret: str) -> int:
        """Make the webhook of a Jenkins, or change the one that is there; gives its number.

        Args:
            url: public address of Jenkins.
            secret: to sign with.

        Raises:
            ConfigError: GitHub refuses; says which setting is wrong.
            SourceUnavailable: GitHub does not answer, or wants a pause.
        """
        address = url.rstrip("/") + PATH
        config = {"url": address, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
        content = {"name": "web", "active": True, "events": ["push"], "config": config}
        there = [hook["id"] for hook in self._hooks() if _replaces(address, hook)]
        if there:
            return int(self._ask("PATCH", f"/{there[0]}", content)["id"])
        return int(self._ask("POST", "", content)["id"])

    def check(self, hook: int) -> int:
        """Let GitHub send a ping, and give the status that it was answered with.

        Raises:
            DeployFailed: it was answered with an error, or did not arrive.
            ConfigError: as in `register`.
            SourceUnavailable: as in `register`.
        """
        before = {delivery["id"] for delivery in self._ask("GET", f"/{hook}/deliveries")}
        self._ask("POST", f"/{hook}/pings")
        ends = time.monotonic() + _PING_S
        while time.monotonic() < ends:
            for delivery in self._ask("GET", f"/{hook}/deliveries"):
                if delivery["event"] == "ping" and delivery["id"] not in before:
                    return _answered(int(delivery["status_code"]), str(delivery["status"]))
            time.sleep(_LOOK_S)
        raise DeployFailed(
            f"GitHub has not delivered its ping within {_PING_S:g} s",
            hint="the repository's Settings → Webhooks shows its deliveries",
        )

    def remove(self, hook: int) -> None:
        """Remove a webhook.

        Raises:
            ConfigError: as in `register`.
            SourceUnavailable: as in `register`.
        """
        self._ask("DELETE", f"/{hook}")

    def _hooks(self) -> Iterator[dict[str, Any]]:
        number = 1
        while page := self._ask("GET", f"?per_page={_PAGE}&page={number}"):
            yield from page
            if len(page) < _PAGE:
                return
            number += 1

    def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 — JSON
        url = f"{self.api.rstrip('/')}/repos/{self.repository}/hooks{path}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        try:
            answer = requests.request(
                method, url, json=content, headers=headers, timeout=_TIMEOUT_S
            )
        except requests.RequestException as error:
            raise SourceUnavailable(
                f"GitHub does not answer: {type(error).__name__}", hint="look at webhook.github_api"
            ) from None
        _check(answer)
        return answer.json() if answer.content else None


def _check(answer: requests.Response) -> None:
    status = answer.status_code
    limited = answer.headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in answer.headers
    if status == requests.codes.too_many_requests or (status == 403 and limited):
        wait = answer.headers.get("Retry-After", "")
        raise SourceUnavailable(f"GitHub wants a pause{f' of {wait} s' if wait else ''}")
    if status in _REFUSALS:
        message, hint = _REFUSALS[status]
        raise ConfigError(f"{message} ({status})", hint=hint)
    if not answer.ok:
        raise SourceUnavailable(f"GitHub answers {status}")


def _replaces(address: str, hook: dict[str, Any]) -> bool:
    """Return whether a webhook is the one to change: the same, or that of a tunnel that is gone."""
    own = str(hook["config"].get("url", ""))
    tunnels = all(_host(one).endswith(_TUNNELS) for one in (own, address))
    return own == address or (tunnels and own.endswith(PATH))


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition(":")[0]


def _answered(status: int, words: str) -> int:
    if status == requests.codes.ok:
        return status
    reason = _ANSWERS.get(status, f"GitHub says: {words}")
    raise DeployFailed(
        f"GitHub's ping was answered with {status or 'nothing'}: {reason}",
        hint="docs/runbook.md, Webhook, has more; the webhook stays, and can be tried again",
    )


@dataclass(frozen=True)
class Route:
    """The route from GitHub to Jenkins.

    Attributes:
        url: public address of Jenkins.
        tunnelled: whether it lasts only as long as this process.
    """

    url: str
    tunnelled: bool


def github_hooks(config: Config) -> GitHubHooks:
    """Return the webhooks of the repository.

    Raises:
        ConfigError: repository or token is not set.
    """
    webhook = config.webhook
    if not webhook.repository:
        raise ConfigError("webhook.repository is not set", hint="as GitHub writes it: owner/name")
    return GitHubHooks(
        webhook.github_api, webhook.repository, _secret(webhook.github_token, "GITHUB_TOKEN")
    )


def webhook_secret(config: Config) -> str:
    """Return what GitHub signs with.

    Raises:
        ConfigError: it is not set.
    """
    return _secret(config.webhook.secret, "SECRET")


@contextmanager
def open_route(config: Config) -> Iterator[Route]:
    """Open the route that the settings name: a public address, or else a tunnel.

    Raises:
        ConfigError: a token is missing or refused.
        SourceUnavailable: the tunnel's service does not answer.
    """
    webhook = config.webhook
    if webhook.address:
        yield Route(webhook.address, tunnelled=False)
        return
    from lightmodel.delivery.tunnel import Credentials, open_tunnel, policy

    token = _secret(webhook.ngrok_token, "NGROK_TOKEN")
    rules = policy(webhook_secret(config), PATH)
    credentials = Credentials(token, webhook.domain, webhook.ngrok_server, webhook.ngrok_ca)
    with open_tunnel(webhook.target, credentials, rules) as url:
        yield Route(url, tunnelled=True)


def _secret(value: SecretStr | None, name: str) -> str:
    if value is None or not value.get_secret_value():
        raise ConfigError(
            f"LIGHTMODEL__WEBHOOK__{name} is not set", hint="docs/config.md says what it is for"
        )
    return value.get_secret_value()
