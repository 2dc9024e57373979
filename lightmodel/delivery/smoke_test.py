"""Smoke test: compare a service's answers to the model's sample rows with the stored scores."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import requests

from lightmodel.config import Config, DeploySection
from lightmodel.contract.columns import Contract
from lightmodel.contract.task import Task, label_name
from lightmodel.errors import DeployFailed
from lightmodel.interruption import raise_if_interrupted
from lightmodel.scoring.predictor import SAME_SCORE
from lightmodel.store.canary import is_canarys, served_versions
from lightmodel.store.manifest import Manifest
from lightmodel.store.versions import models_of

OK = 200
_POLL_S = 0.25
_TIMEOUT_S = 30
_MAX_QUOTED = 300


@dataclass(frozen=True)
class Answer:
    """A service's response: its HTTP status, 0 for no response, and its body."""

    status: int
    body: str

    def __str__(self) -> str:
        """Return the response as messages quote it."""
        return f"{self.status or 'no response'}: {self.body.strip()[:_MAX_QUOTED]}"


Ask = Callable[[str, bytes | None], Answer]
"""Sends GET to a path, or POST with a JSON body."""


def key_of(deploy: DeploySection) -> str:
    """Return the API key for requests to a service; "" for none."""
    return deploy.api_key.get_secret_value() if deploy.api_key else ""


def over_http(url: str, key: str = "", request_id: str = "") -> Ask:
    """Return what sends requests to a service; `key` is an API key, "" for none."""
    more = {"X-API-Key": key, "X-Request-ID": request_id}
    headers = {
        "Content-Type": "application/json",
        **{name: value for name, value in more.items() if value},
    }
    host = urlsplit(url).hostname or ""
    proxies = {"no_proxy": host} if _is_loopback(host) else {}  # HTTP_PROXY does not lead there

    def ask(path: str, body: bytes | None = None) -> Answer:
        method = "POST" if body else "GET"
        try:
            answer = requests.request(
                method,
                url + path,
                data=body,
                headers=headers,
                proxies=proxies,
                timeout=_TIMEOUT_S,
            )
        except requests.RequestException as error:
            return Answer(0, type(error).__name__)
        return Answer(answer.status_code, answer.text)

    return ask


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def smoke_test_service(config: Config, url: str, seconds: float) -> str:
    """Smoke-test a service by the model of the store that it should serve; return its version.

    With a canary, its share of the sample rows is left out.

    Raises:
        DeployFailed: it does not become ready, serves another model, or its scores differ.
        ArtefactMissing: no model in the store is approved.
    """
    share = config.serve.canary
    served = served_versions(models_of(config), share)
    manifest, request_id = served.stable.manifest, ""
    if served.canary:
        manifest, request_id = _without_canary(manifest, served.canary.name, share)
    ask = over_http(url.rstrip("/"), key_of(config.deploy), request_id)
    wait_until_ready(ask, seconds)
    smoke_test(ask, manifest)
    return manifest.version


def _without_canary(manifest: Manifest, canary: str, share: float) -> tuple[Manifest, str]:
    """Return the manifest with the sample rows that no canary answers, and such an id of a request."""
    column = Contract.from_dict(manifest.contract or {}).id
    name = column.name if column else ""
    samples = tuple(
        sample
        for sample in manifest.samples
        if (key := sample["values"].get(name)) is None or not is_canarys(str(key), canary, share)
    )
    ids = (f"smoke-{number}" for number in count())
    request_id = next(one for one in ids if not is_canarys(one, canary, share))
    return replace(manifest, samples=samples or manifest.samples), request_id


def wait_until_ready(ask: Ask, seconds: float, check: Callable[[], None] = lambda: None) -> None:
    """Wait for `/ready`; `check` raises where waiting is useless.

    Raises:
        DeployFailed: it is not ready in time.
        KeyboardInterrupt: Ctrl-C was pressed, or SIGTERM came.
    """
    ends = time.monotonic() + seconds
    while True:
        raise_if_interrupted()
        check()
        answer = ask("/ready", None)
        if answer.status == OK:
            return
        if time.monotonic() > ends:
            raise DeployFailed(f"not ready after {seconds:g} s; /ready: {answer}")
        time.sleep(_POLL_S)


def smoke_test(ask: Ask, manifest: Manifest) -> None:
    """Compare a service's answers to the model's sample rows with the stored scores.

    Raises:
        DeployFailed: it serves another model than the manifest's, or its scores differ.
    """
    about = _request(ask, "/model")
    version = about.get("version") if isinstance(about, dict) else None
    if version is None:
        raise DeployFailed("what answers is no light-model service: its /model names no version")
    if version != manifest.version:
        raise DeployFailed(f"{version} answers instead of {manifest.version}")
    answers = _request(ask, "/predict", sample_request(manifest.samples))
    check_sample_answers(answers, manifest.samples, manifest.task or {})


def check_address(answer: Answer, address: str) -> None:
    """Check what `/ready` answered at an address, before it is called the service's.

    Raises:
        DeployFailed: nothing answers there, or something else does.
    """
    if answer.status != OK or '"ready"' not in answer.body:
        raise DeployFailed(
            f"the service is deployed, but {address} does not lead to it; /ready: {answer}",
            hint="`docker ps` shows who has that port of the Docker host; a firewall may also close it",
        )


def _request(ask: Ask, path: str, body: bytes | None = None) -> object:
    answer = ask(path, body)
    if answer.status != OK:
        keys = "the service requires an API key: set LIGHTMODEL__DEPLOY__API_KEY to one"
        raise DeployFailed(f"{path}: {answer}", hint=keys if answer.status in {401, 403} else "")
    try:
        content: object = json.loads(answer.body)
    except ValueError:
        raise DeployFailed(f"the answer of {path} is not JSON") from None
    return content


def sample_request(samples: Sequence[dict[str, Any]]) -> bytes:
    """Return the body of a `POST /predict` (JSON) that asks for a manifest's sample rows."""
    return json.dumps([sample["values"] for sample in samples]).encode()


def check_sample_answers(
    answers: object, samples: Sequence[dict[str, Any]], task: dict[str, Any]
) -> None:
    """Compare a service's answers, one object a row, with the `score` of each of a manifest's samples.

    Raises:
        DeployFailed: a score is missing, or its relative difference exceeds 1e-12.
    """
    if not isinstance(answers, list) or len(answers) != len(samples):
        raise DeployFailed(f"/predict did not return {len(samples)} answers for the sample rows")
    known = Task.from_dict(task)
    wrong = [
        number
        for number, (answer, sample) in enumerate(zip(answers, samples, strict=True), start=1)
        if not _same(_scores(answer, known), sample["score"])
    ]
    if wrong:
        rows = ", ".join(str(number) for number in wrong)
        raise DeployFailed(
            f"/predict: the answers differ from the stored scores in sample rows {rows}"
        )


def _scores(answer: object, task: Task) -> list[object]:
    if not isinstance(answer, dict):
        return []
    if not task.kind.has_classes:
        return [answer.get("prediction")]
    probability = answer.get("probability")
    if isinstance(probability, dict):
        return [probability.get(label_name(label)) for label in task.labels]
    return [probability]


def _same(answered: Sequence[object], stored: Sequence[float]) -> bool:
    return len(answered) == len(stored) and all(
        isinstance(one, int | float) and math.isclose(one, other, rel_tol=SAME_SCORE)
        for one, other in zip(answered, stored, strict=True)
    )
