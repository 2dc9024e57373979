"""Access control: API keys, the token for retraining, and a rate limit per caller."""

import hashlib
import hmac
import math
from collections.abc import Sequence

from flask import Flask, Response, g, request
from pydantic import SecretStr
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized

from lightmodel.config import ServeSection
from lightmodel.config.environment import workers_folder
from lightmodel.service.rate_limit import RateLimiter

_PUBLIC = {"/health", "/ready", "/ping"}  # platforms probe these without a key
_EXPOSED = (
    "X-Model-Version, X-Request-ID, X-Ignored-Columns, X-Unseen-Categories, X-Missing-Formulas"
)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type, Accept, Authorization, X-API-Key, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
_SCHEMES = [WWWAuthenticate("bearer"), WWWAuthenticate("basic", {"realm": "light-model"})]


def init_app(app: Flask, serve: ServeSection) -> None:
    """Require a key if keys are set, and limit each caller's rate if serve.rate_limit is set."""
    keys = _read_keys(serve)
    limiter = RateLimiter(serve.rate_limit, workers_folder()) if serve.rate_limit else None
    if not keys and not limiter:
        return

    @app.before_request
    def check() -> None:
        key, address = _matching_key(keys), _address(request.remote_addr or "")
        g.anonymous = bool(keys) and not key
        is_preflight = request.method == "OPTIONS"  # to which browsers add no key
        if request.path in _PUBLIC or request.endpoint == "static" or is_preflight:
            return
        # A caller without a key is limited too: keys cannot be guessed faster than requests are served.
        if limiter and (wait := limiter.acquire(key or f"@{address}")):
            raise TooManyRequests(
                f"more than {serve.rate_limit:g} requests per second", retry_after=math.ceil(wait)
            )
        if g.anonymous:
            raise Unauthorized(
                "an API key is required: X-API-Key, or Authorization: Bearer",
                www_authenticate=_SCHEMES,
            )


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


def _matching_key(keys: dict[str, bytes]) -> str:
    """Return the name of the request's key, "" for none: X-API-Key, a bearer token, Basic's password.

    Every key is compared, so that the time taken reveals nothing.
    """
    login = request.authorization
    sent = request.headers.get("X-API-Key") or (login and (login.token or login.password)) or ""
    digest = _digest(sent)
    matching = [name for name, known in keys.items() if hmac.compare_digest(known, digest)]
    return matching[0] if matching else ""


def check_token(token: SecretStr) -> None:
    """Raise Unauthorized unless the request has this token, which is required besides an API key."""
    login = request.authorization
    sent = request.headers.get("X-Train-Token") or (login and login.token) or ""
    if not hmac.compare_digest(_digest(token.get_secret_value()), _digest(sent)):
        raise Unauthorized(
            "the training token is required: X-Train-Token, or Authorization: Bearer",
            www_authenticate=WWWAuthenticate("bearer"),
        )
