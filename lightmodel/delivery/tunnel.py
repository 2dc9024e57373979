"""A tunnel by ngrok's own agent, in this process; nothing is downloaded."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightmodel.errors import ConfigError, SourceUnavailable

_REFUSED = (
    "LIGHTMODEL__WEBHOOK__NGROK_TOKEN must be the authtoken of https://dashboard.ngrok.com, "
    "and webhook.domain one of that account"
)


def policy(secret: str, path: str) -> dict[str, Any]:
    """Return ngrok's traffic policy that lets only pushes through which GitHub has signed.

    Args:
        secret: of the webhook.
        path: of Jenkins' endpoint.
    """
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


@dataclass(frozen=True)
class Credentials:
    """Who opens a tunnel, and where.

    Attributes:
        token: authtoken.
        domain: fixed address; "" for any.
        server: host and port of ngrok's service; "" for the public one.
        authority: certificates that it is checked against; None for ngrok's own.
    """

    token: str
    domain: str = ""
    server: str = ""
    authority: Path | None = None

    def options(self) -> dict[str, Any]:
        """Return what ngrok's agent is told.

        Raises:
            ConfigError: the certificates cannot be read.
        """
        given: dict[str, Any] = {"authtoken": self.token}
        if self.domain:
            given["domain"] = self.domain
        if self.server:
            given["server_addr"] = self.server
        if self.authority:
            try:
                given["session_ca_cert"] = bytearray(self.authority.read_bytes())
            except OSError as error:
                raise ConfigError(
                    f"webhook.ngrok_ca {self.authority} cannot be read: {error.strerror}"
                ) from None
        return given


@contextmanager
def open_tunnel(target: str, credentials: Credentials, rules: dict[str, Any]) -> Iterator[str]:
    """Open a tunnel, and close it at the end; gives its public address.

    Args:
        target: address that requests go to.
        credentials: that it is opened with.
        rules: traffic policy.

    Raises:
        ConfigError: ngrok is not installed, or refuses the token, the domain or the policy.
        SourceUnavailable: ngrok's service does not answer.
    """
    try:
        import ngrok
    except ImportError:
        raise ConfigError(
            "the tunnel wants the package ngrok, which is not installed",
            hint="`pip install -r requirements/tunnel.txt`; or webhook.address, a public one",
        ) from None
    options = credentials.options()
    try:
        listener = ngrok.forward(target, traffic_policy=json.dumps(rules), **options)
    except ValueError as error:  # ngrok's only kind: what was tried, and why not
        raise _translated(" ".join(str(word) for word in error.args)) from None
    try:
        yield str(listener.url())
    finally:
        with suppress(Exception):  # closing a tunnel that broke is no news
            ngrok.disconnect(listener.url())


def _translated(said: str) -> ConfigError | SourceUnavailable:
    """Return a refusal, which has one of ngrok's numbers, or else that the service is out of reach."""
    text = " ".join(said.split())
    if "ERR_NGROK_" in text.upper() or "authentication" in text.lower():
        return ConfigError(f"ngrok refuses: {text}", hint=_REFUSED)
    return SourceUnavailable(
        f"ngrok's service does not answer: {text}",
        hint="does this machine reach connect.ngrok-agent.com:443? Otherwise set webhook.address",
    )
