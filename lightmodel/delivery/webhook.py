"""GitHub's push webhook: registered by its REST API, and the route by which it reaches Jenkins.

The route may be a tunnel by ngrok's own agent, in this process; nothing is downloaded.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from lightmodel.config import Config
from lightmodel.config.deployment import WebhookSection
from lightmodel.errors import ConfigError, DeployFailed, SourceUnavailable

PATH = "/github-webhook/"
_TUNNELS = (".ngrok-free.app", ".ngrok-free.dev", ".ngrok.app", ".ngrok.dev", ".ngrok.io")
_TIMEOUT_S = 20
_PAGE = 100
_PING_S, _POLL_S = 20.0, 0.5
_SCOPE = "the token must read and write webhooks (fine-grained: Webhooks; classic: admin:repo_hook)"
_REFUSALS = {
    401: ("GitHub does not know the token", "set LIGHTMODEL__WEBHOOK__GITHUB_TOKEN to a valid one"),
    403: ("GitHub refuses the token", _SCOPE),
    404: ("GitHub shows no such repository to this token", f"check webhook.repository; {_SCOPE}"),
    422: ("GitHub rejects the webhook", "its address must be public, with https://"),
}
_NGROK_REFUSED = (
    "LIGHTMODEL__WEBHOOK__NGROK_TOKEN must be the authtoken of https://dashboard.ngrok.com, "
    "and webhook.domain one of that account"
)
_ANSWERS = {
    302: "Jenkins redirects: the address lacks the slash at its end",
    400: "Jenkins refuses the signature: webhook.secret is not the one that Jenkins has",
    403: "refused by the tunnel, if its secret differs, or by Jenkins, if the path does",
    404: "there is no Jenkins with the GitHub plugin, or the tunnel was asked for another path",
}


@dataclass(frozen=True)
class GitHubHooks:
    """The webhooks of one repository (owner/name), with a token that may change them."""

    api: str
    repository: str
    token: str

    def register(self, url: str, secret: str) -> int:
        """Create or update the webhook to the Jenkins at a public address; return its id.

        Raises:
            ConfigError: GitHub refuses; the message names the wrong setting.
            SourceUnavailable: GitHub does not answer, or limits the rate.
        """
        address = url.rstrip("/") + PATH
        config = {"url": address, "content_type": "json", "secret": secret, "insecure_ssl": "0"}
        content = {"name": "web", "active": True, "events": ["push"], "config": config}
        existing = [hook["id"] for hook in self._hooks() if _replaces(address, hook)]
        if existing:
            return int(self._ask("PATCH", f"/{existing[0]}", content)["id"])
        return int(self._ask("POST", "", content)["id"])

    def check(self, hook: int) -> int:
        """Let GitHub send a ping, and return the HTTP status of Jenkins's answer.

        Raises:
            DeployFailed: it was answered with an error, or did not arrive.
            ConfigError, SourceUnavailable: as in `register`.
        """
        before = {delivery["id"] for delivery in self._ask("GET", f"/{hook}/deliveries")}
        self._ask("POST", f"/{hook}/pings")
        ends = time.monotonic() + _PING_S
        while time.monotonic() < ends:
            for delivery in self._ask("GET", f"/{hook}/deliveries"):
                if delivery["event"] == "ping" and delivery["id"] not in before:
                    return _check_ping(int(delivery["status_code"]), str(delivery["status"]))
            time.sleep(_POLL_S)
        raise DeployFailed(
            f"GitHub has not delivered its ping within {_PING_S:g} s",
            hint="the repository's Settings → Webhooks shows its deliveries",
        )

    def remove(self, hook: int) -> None:
        """Remove a webhook.

        Raises:
            ConfigError, SourceUnavailable: as in `register`.
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
                f"GitHub does not answer: {type(error).__name__}", hint="check webhook.github_api"
            ) from None
        _check(answer)
        return answer.json() if answer.content else None


def _check(answer: requests.Response) -> None:
    status = answer.status_code
    limited = answer.headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in answer.headers
    if status == requests.codes.too_many_requests or (status == 403 and limited):
        wait = answer.headers.get("Retry-After", "")
        raise SourceUnavailable(f"GitHub limits the rate{f'; wait {wait} s' if wait else ''}")
    if status in _REFUSALS:
        message, hint = _REFUSALS[status]
        raise ConfigError(f"{message} ({status})", hint=hint)
    if not answer.ok:
        raise SourceUnavailable(f"GitHub answers {status}")


def _replaces(address: str, hook: dict[str, Any]) -> bool:
    """Return whether to update this webhook: it has the address, or an earlier tunnel's."""
    current = str(hook["config"].get("url", ""))
    hosts = [str(urlsplit(url).hostname) for url in (current, address)]
    tunnels = all(host.endswith(_TUNNELS) for host in hosts)
    return current == address or (tunnels and current.endswith(PATH))


def _check_ping(status: int, words: str) -> int:
    if status == requests.codes.ok:
        return status
    reason = _ANSWERS.get(status, f"GitHub says: {words}")
    raise DeployFailed(
        f"GitHub's ping was answered with {status or 'nothing'}: {reason}",
        hint="see docs/runbook.md, Webhook; the webhook is kept, and can be checked again",
    )


@dataclass(frozen=True)
class Route:
    """The public address of Jenkins, and whether it lasts only as long as this process."""

    url: str
    tunnelled: bool


def github_hooks(config: Config) -> GitHubHooks:
    """Return the webhooks of the repository.

    Raises:
        ConfigError: the repository or the token is not set.
    """
    webhook = config.webhook
    if not webhook.repository:
        raise ConfigError("webhook.repository is not set", hint="as GitHub writes it: owner/name")
    return GitHubHooks(
        webhook.github_api, webhook.repository, _secret(webhook.github_token, "GITHUB_TOKEN")
    )


def webhook_secret(config: Config) -> str:
    """Return the secret with which GitHub signs its pushes.

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
    rules = policy(webhook_secret(config), PATH)
    with open_tunnel(webhook, rules) as url:
        yield Route(url, tunnelled=True)


def policy(secret: str, path: str) -> dict[str, Any]:
    """Return ngrok's traffic policy that lets only pushes signed by GitHub through, to `path`."""
    other = f"!(req.method == 'POST' && req.url.path == '{path}')"
    verify = {"type": "verify-webhook", "config": {"provider": "github", "secret": secret}}
    return {
        "on_http_request": [
            {
                "expressions": [other],
                "actions": [{"type": "deny", "config": {"status_code": 404}}],
            },
            {"actions": [verify]},
        ]
    }


@contextmanager
def open_tunnel(webhook: WebhookSection, rules: dict[str, Any]) -> Iterator[str]:
    """Open a tunnel to webhook.target under a traffic policy, and close it at the end.

    Yields:
        Its public address.

    Raises:
        ConfigError: ngrok is not installed, or refuses the token, the domain or the policy.
        SourceUnavailable: ngrok's service does not answer.
    """
    options = _ngrok_options(webhook)
    try:
        import ngrok
    except ImportError:
        raise ConfigError(
            "the tunnel needs the package ngrok, which is not installed",
            hint="`pip install -r requirements/tunnel.txt`; or set webhook.address to a public one",
        ) from None
    try:
        listener = ngrok.forward(webhook.target, traffic_policy=json.dumps(rules), **options)
    except ValueError as error:  # ngrok's only error: what was tried, and why it failed
        raise _translate_ngrok_error(" ".join(str(word) for word in error.args)) from None
    try:
        yield str(listener.url())
    finally:
        with suppress(Exception):  # a broken tunnel cannot be closed
            ngrok.disconnect(listener.url())


def _ngrok_options(webhook: WebhookSection) -> dict[str, Any]:
    options: dict[str, Any] = {"authtoken": _secret(webhook.ngrok_token, "NGROK_TOKEN")}
    if webhook.domain:
        options["domain"] = webhook.domain
    if webhook.ngrok_server:
        options["server_addr"] = webhook.ngrok_server
    if webhook.ngrok_ca:
        try:
            options["session_ca_cert"] = bytearray(webhook.ngrok_ca.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"webhook.ngrok_ca {webhook.ngrok_ca} cannot be read: {error.strerror}"
            ) from None
    return options


def _translate_ngrok_error(message: str) -> ConfigError | SourceUnavailable:
    """Return ConfigError for a refusal, which has an error number, else SourceUnavailable."""
    text = " ".join(message.split())
    if "ERR_NGROK_" in text.upper() or "authentication" in text.lower():
        return ConfigError(f"ngrok refuses: {text}", hint=_NGROK_REFUSED)
    return SourceUnavailable(
        f"ngrok's service does not answer: {text}",
        hint="does this machine reach connect.ngrok-agent.com:443? Otherwise set webhook.address",
    )


def _secret(value: SecretStr | None, name: str) -> str:
    if value is None or not value.get_secret_value():
        raise ConfigError(f"LIGHTMODEL__WEBHOOK__{name} is not set", hint="see docs/config.md")
    return value.get_secret_value()
