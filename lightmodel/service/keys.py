"""Who may ask, and how often: API keys and a rate limit."""

import hashlib
import hmac
import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from flask import Flask, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized

from lightmodel.config import ServeSection

_OPEN = {"/health", "/ready", "/ping"}  # platforms ask these, and cannot log in
_CALLERS = 10_000
_BURST_S = 1.0


def init_app(app: Flask, serve: ServeSection, workers: int) -> None:
    """Ask for a key where keys are set, and hold each caller to the rate limit."""
    keys = read_keys(serve)
    buckets = Buckets(serve.rate_limit / workers) if serve.rate_limit else None

    @app.before_request
    def check() -> None:
        if request.path in _OPEN or request.endpoint == "static":
            return
        caller = _address(request.remote_addr or "")
        if keys:
            caller = _caller(keys)
        if buckets and (wait := buckets.take(caller)):
            raise TooManyRequests(
                f"more than {serve.rate_limit:g} requests a second", retry_after=math.ceil(wait)
            )


def _address(remote: str) -> str:
    """Leave out the port, which Azure's front end forwards as well: it differs for each connection."""
    if remote.startswith("["):
        return remote[1:].partition("]")[0]
    return remote.partition(":")[0] if remote.count(":") == 1 else remote


def read_keys(serve: ServeSection) -> dict[str, bytes]:
    """Give name → digest for each line `key` or `name:key`; # begins a comment."""
    if serve.api_keys is None:
        return {}
    found = {}
    for number, line in enumerate(serve.api_keys.get_secret_value().splitlines(), start=1):
        text = line.partition("#")[0].strip()
        name, colon, key = text.rpartition(":")
        if text:
            found[name if colon else f"key {number}"] = digest(key)
    return found


def digest(key: str) -> bytes:
    """Give what is compared: digests have one length, and tell nothing of the key."""
    return hashlib.sha256(key.strip().encode()).digest()


def given_key() -> str:
    """Give the key of the request: X-API-Key, a bearer token, or the password of Basic."""
    if key := request.headers.get("X-API-Key"):
        return key
    found = request.authorization
    return (found.token or found.password or "") if found else ""


def given_token() -> str:
    """Give the token for what needs one besides a key."""
    found = request.authorization
    return request.headers.get("X-Train-Token") or (found.token or "" if found else "")


def _caller(keys: dict[str, bytes]) -> str:
    """Name the key; every key is compared, so that the time tells nothing."""
    given = digest(given_key())
    fitting = [name for name, known in keys.items() if hmac.compare_digest(known, given)]
    if not fitting:
        ways = [WWWAuthenticate("bearer"), WWWAuthenticate("basic", {"realm": "light-model"})]
        raise Unauthorized(
            "a key is needed: X-API-Key, or Authorization: Bearer", www_authenticate=ways
        )
    g.caller = fitting[0]
    return fitting[0]


@dataclass
class Buckets:
    """A bucket of tokens for each caller, of this worker: so many a second, a second's worth at once."""

    rate: float
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, caller: str) -> float:
        """Take a token; gives 0, or the seconds until there is one."""
        now, most = time.monotonic(), max(1.0, self.rate * _BURST_S)
        with self._lock:
            left, since = self._left.pop(caller, (most, now))
            left = min(most, left + (now - since) * self.rate)
            self._left[caller] = (left - 1 if left >= 1 else left, now)
            if len(self._left) > _CALLERS:
                self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self.rate
