"""Who may ask, and how often: API keys, a token for retraining, and a rate limit."""

import hashlib
import hmac
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask, request
from pydantic import SecretStr
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized

from lightmodel.config import ServeSection

_PUBLIC = {"/health", "/ready", "/ping"}  # platforms ask these, and cannot log in
_MAX_CALLERS = 10_000


def init_app(app: Flask, serve: ServeSection, workers: int) -> None:
    """Ask for a key where keys are set, and limit each caller's rate where there is a limit."""
    keys = _read_keys(serve)
    limiter = RateLimiter(serve.rate_limit / workers) if serve.rate_limit else None
    if not keys and not limiter:
        return

    @app.before_request
    def check() -> None:
        if request.path in _PUBLIC or request.endpoint == "static":
            return
        caller = _authenticate(keys) if keys else _address(request.remote_addr or "")
        if limiter and (wait := limiter.acquire(caller)):
            raise TooManyRequests(
                f"more than {serve.rate_limit:g} requests a second", retry_after=math.ceil(wait)
            )


def _address(remote: str) -> str:
    """Return the address without the port, which Azure's front end adds: it differs for each connection."""
    if remote.startswith("["):
        return remote[1:].partition("]")[0]
    return remote.partition(":")[0] if remote.count(":") == 1 else remote


def _read_keys(serve: ServeSection) -> dict[str, bytes]:
    """Return name → digest for each line `key` or `name:key`; # begins a comment."""
    if serve.api_keys is None:
        return {}
    digests = {}
    for number, line in enumerate(serve.api_keys.get_secret_value().splitlines(), start=1):
        text = line.partition("#")[0].strip()
        name, colon, key = text.rpartition(":")
        if text:
            digests[name if colon else f"key {number}"] = _digest(key)
    return digests


def _digest(key: str) -> bytes:
    """Return what is compared: digests have one length, and tell nothing of the key."""
    return hashlib.sha256(key.strip().encode()).digest()


def _authenticate(keys: dict[str, bytes]) -> str:
    """Return the name of the request's key: X-API-Key, a bearer token, or the password of Basic.

    Every key is compared, so that the time tells nothing.
    """
    login = request.authorization
    given = request.headers.get("X-API-Key") or (login and (login.token or login.password)) or ""
    digest = _digest(given)
    matching = [name for name, known in keys.items() if hmac.compare_digest(known, digest)]
    if not matching:
        schemes = [WWWAuthenticate("bearer"), WWWAuthenticate("basic", {"realm": "light-model"})]
        raise Unauthorized(
            "a key is needed: X-API-Key, or Authorization: Bearer", www_authenticate=schemes
        )
    return matching[0]


def check_token(token: SecretStr) -> None:
    """Raise Unauthorized unless the request carries this token, which is asked for besides a key."""
    login = request.authorization
    given = request.headers.get("X-Train-Token") or (login and login.token) or ""
    if not hmac.compare_digest(_digest(token.get_secret_value()), _digest(given)):
        raise Unauthorized(
            "the token is needed: X-Train-Token, or Authorization: Bearer",
            www_authenticate=WWWAuthenticate("bearer"),
        )


@dataclass
class RateLimiter:
    """A token bucket for each caller, in this worker: `rate` requests a second, or at once."""

    rate: float
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acquire(self, caller: str) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        now, most = self.clock(), max(1.0, self.rate)
        with self._lock:
            tokens, since = self._buckets.pop(caller, (most, now))
            tokens = min(most, tokens + (now - since) * self.rate)
            self._buckets[caller] = (tokens - 1 if tokens >= 1 else tokens, now)
            if len(self._buckets) > _MAX_CALLERS:
                self._buckets.popitem(last=False)
        return 0.0 if tokens >= 1 else (1 - tokens) / self.rate
