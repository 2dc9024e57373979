"""Access control: API keys, the token for retraining, and a rate limit per caller."""

import hashlib
import hmac
import math
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Response, g, request
from pydantic import SecretStr
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized

from lightmodel.config import ServeSection
from lightmodel.config.environment import workers_folder
from lightmodel.service.rate_limit import RateLimiter

_PUBLIC = {"/health", "/ready", "/ping"}  # platforms probe these without a key
_EXPOSED = (
    "X-Model-Version, X-Request-ID, X-Ignored-Columns, X-Unseen-Categories, X-Missing-Formulas, "
    "X-Blank-Rows, X-Missing-Values, X-Out-Of-Range"
)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, Accept, Authorization, X-API-Key, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
_SCHEMES = [WWWAuthenticate("bearer"), WWWAuthenticate("basic", {"realm": "light-model"})]


class Callers:
    """Who may call the service, and how often: `serve.api_keys` and `serve.rate_limit`."""

    def __init__(self, serve: ServeSection) -> None:
        self._keys = _read_keys(serve)
        rate = serve.rate_limit / serve.replicas
        self._limiter = RateLimiter(rate, workers_folder()) if rate else None

    @property
    def need_key(self) -> bool:
        """Whether keys are set."""
        return bool(self._keys)

    @property
    def are_checked(self) -> bool:
        """Whether callers need a key or are limited."""
        return self.need_key or self._limiter is not None

    def key_name(self, sent: str) -> str:
        """Return the name of a key, "" if there is no such key.

        Every key is compared, so that the time taken reveals nothing.
        """
        digest = _digest(sent)
        matching = [n for n, known in self._keys.items() if hmac.compare_digest(known, digest)]
        return matching[0] if matching else ""

    def acquire(self, key: str, address: str) -> float:
        """Count a request of a caller; return 0, or the seconds until the next one is allowed."""
        return self._limiter.acquire(key or f"@{_address(address)}") if self._limiter else 0.0


def init_app(app: Flask, serve: ServeSection) -> Callers:
    """Require a key if keys are set, and limit each caller's rate if serve.rate_limit is set."""
    callers = Callers(serve)
    if not callers.are_checked:
        return callers

    @app.before_request
    def check() -> None:
        login = request.authorization
        sent = request.headers.get("X-API-Key") or (login and (login.token or login.password)) or ""
        key = callers.key_name(sent)
        g.anonymous = callers.need_key and not key
        is_preflight = request.method == "OPTIONS"  # to which browsers add no key
        if request.path in _PUBLIC or request.endpoint == "static" or is_preflight:
            return
        # A caller without a key is limited too: keys cannot be guessed faster than requests are served.
        if wait := callers.acquire(key, request.remote_addr or ""):
            raise TooManyRequests(
                f"more than {serve.rate_limit:g} requests per second", retry_after=math.ceil(wait)
            )
        if g.anonymous:
            raise Unauthorized(
                "an API key is required: X-API-Key, or Authorization: Bearer",
                www_authenticate=_SCHEMES,
            )

    return callers


def allow_origins(app: Flask, origins: Sequence[str]) -> None:
    """Let web pages of these origins call the service (CORS); requests are answered all the same."""
    if not origins:
        return

    @app.after_request
    def add_headers(response: Response) -> Response:
        origin = request.headers.get("Origin", "")
        response.vary.add("Origin")
        if origin and ("*" in origins or origin in origins):
            response.access_control_allow_origin = "*" if "*" in origins else origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            if request.method == "OPTIONS":
                response.headers.update(_PREFLIGHT)
        return response


def client_address(scope: Mapping[str, Any], proxies: int) -> str:
    """Return the address of an ASGI request's client, as ProxyFix does for Flask's requests."""
    remote = str(scope["client"][0]) if scope["client"] else ""
    if not proxies:
        return remote
    sent = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops = b",".join(sent).decode("latin-1").split(",")
    return hops[-proxies].strip() if len(hops) >= proxies and hops[-proxies].strip() else remote


def _address(remote: str) -> str:
    """Return the address without the port: Azure's front end adds one, different in each connection."""
    if remote.startswith("["):
        return remote[1:].partition("]")[0]
    return remote.partition(":")[0] if remote.count(":") == 1 else remote


def _read_keys(serve: ServeSection) -> dict[str, bytes]:
    """Return name → digest of the key for each line `key` or `name:key`; # begins a comment."""
    if serve.api_keys is None:
        return {}
    digests = {}
    for number, line in enumerate(serve.api_keys.get_secret_value().splitlines(), start=1):
        text = line.partition("#")[0].strip()
        name, _, key = text.rpartition(":")
        if text:
            digests[name or f"key {number}"] = _digest(key)
    return digests


def _digest(key: str) -> bytes:
    """Return the digest of a key: all digests have one length, and do not reveal the key."""
    return hashlib.sha256(key.strip().encode()).digest()


def check_token(token: SecretStr) -> None:
    """Raise Unauthorized unless the request has this token, which is required besides an API key."""
    login = request.authorization
    sent = request.headers.get("X-Train-Token") or (login and login.token) or ""
    if not hmac.compare_digest(_digest(token.get_secret_value()), _digest(sent)):
        raise Unauthorized(
            "the training token is required: X-Train-Token, or Authorization: Bearer",
            www_authenticate=WWWAuthenticate("bearer"),
        )
