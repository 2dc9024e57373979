"""Making a service prove itself: that it is ready, and answers as its model did when it was made."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import requests

from lightmodel.delivery.smoke_test import check_sample_answers, sample_request
from lightmodel.errors import DeployFailed
from lightmodel.store.manifest import Manifest

OK = 200
_LOOK_S = 0.25
_TIMEOUT_S = 30
_SHOWN = 300


@dataclass(frozen=True)
class Answer:
    """Of a service: its HTTP status, 0 where nobody answered, and its body."""

    status: int
    body: str

    def __str__(self) -> str:
        """Say it in a message."""
        return f"{self.status or 'nobody answers'}: {self.body.strip()[:_SHOWN]}"


Ask = Callable[[str, bytes | None], Answer]
"""Asks for a path, or posts JSON to it."""


def over_http(url: str, key: str = "") -> Ask:
    """Give what asks a service at its address; `key` is an API key, "" where it wants none."""
    headers = {"Content-Type": "application/json", **({"X-API-Key": key} if key else {})}

    def ask(path: str, body: bytes | None = None) -> Answer:
        try:
            answer = requests.request(
                "POST" if body else "GET",
                url + path,
                data=body,
                headers=headers,
                timeout=_TIMEOUT_S,
            )
        except requests.RequestException as error:
            return Answer(0, type(error).__name__)
        return Answer(answer.status_code, answer.text)

    return ask


def wait_until_ready(ask: Ask, seconds: float, check: Callable[[], None] = lambda: None) -> None:
    """Wait for `/ready`.

    Args:
        ask: the service.
        seconds: at most.
        check: raises where waiting is of no use.

    Raises:
        DeployFailed: it is not ready in time.
    """
    ends = time.monotonic() + seconds
    while True:
        check()
        answer = ask("/ready", None)
        if answer.status == OK:
            return
        if time.monotonic() > ends:
            raise DeployFailed(f"not ready after {seconds:g} s; /ready: {answer}")
        time.sleep(_LOOK_S)


def prove(ask: Ask, manifest: Manifest) -> None:
    """Compare a service's answers to the model's own sample rows with what is stored.

    Raises:
        DeployFailed: it serves another model than the manifest's, or scores otherwise.
    """
    about = _asked(ask, "/model")
    version = about.get("version") if isinstance(about, dict) else None
    if version != manifest.version:
        raise DeployFailed(f"{version} answers, and not {manifest.version}")
    answers = _asked(ask, "/predict", sample_request(manifest.samples))
    check_sample_answers(answers, manifest.samples, manifest.task or {})


def _asked(ask: Ask, path: str, body: bytes | None = None) -> object:
    answer = ask(path, body)
    if answer.status != OK:
        refused = answer.status in {401, 403}
        hint = (
            "the service asks for keys: LIGHTMODEL__DEPLOY__API_KEY must be one" if refused else ""
        )
        raise DeployFailed(f"{path}: {answer}", hint=hint)
    try:
        found: object = json.loads(answer.body)
    except ValueError:
        raise DeployFailed(f"{path} does not answer with JSON") from None
    return found
