"""API keys and rate limits, also behind proxies."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.config import ServeSection, load
from lightmodel.service import create_app
from lightmodel.service.rate_limit import RateLimiter
from lightmodel.service.security import Callers, init_app
from tests.fakes.project import ROOT, Project
from tests.serve.conftest import trained_shop

__all__ = ["trained_shop"]


def statuses(proxies: int, forwarded: list[str]) -> list[int]:
    limits = ["serve.rate_limit=1", "serve.workers=1", f"serve.proxies={proxies}"]
    limits += ["log.sink=none", f"store.root={Path.cwd()}"]
    client = create_app(load(None, limits, {}).config).test_client()
    return [
        client.get("/schema", headers={"X-Forwarded-For": one}).status_code for one in forwarded
    ]


@pytest.mark.usefixtures("no_time_passes")
@pytest.mark.parametrize(
    ("proxies", "forwarded", "limited"),
    [
        (1, ["1.2.3.4", "5.6.7.8"], False),
        (1, ["1.2.3.4:1000", "1.2.3.4:2000"], True),  # as Azure forwards it
        (1, ["[2001:db8::1]:1000", "[2001:db8::1]:2000"], True),
        (1, ["2001:db8::1", "2001:db8::2"], False),
        (0, ["1.2.3.4", "5.6.7.8"], True),  # without a proxy the header is not trusted
    ],
)
def test_each_address_behind_the_proxies_has_its_own_rate_limit(
    proxies: int, forwarded: list[str], limited: bool
) -> None:
    assert (429 in statuses(proxies, forwarded)) == limited


def guarded(**section: str) -> FlaskClient:
    """Return a client of an app with one protected route and /health."""
    app = Flask(__name__)
    init_app(app, ServeSection(**section))

    @app.get("/rows")
    @app.get("/health")
    def rows() -> str:
        return "rows"

    return app.test_client()


KEYS = "# who may ask\nnightly:  swordfish \nplain:with:colons:last\n\nlonely\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "swordfish"}, 200),
        ({"X-API-Key": " swordfish "}, 200),
        ({"X-API-Key": "last"}, 200),
        ({"X-API-Key": "lonely"}, 200),
        ({"X-API-Key": "nightly"}, 401),
        ({"X-API-Key": "nightly:swordfish"}, 401),
        ({"X-API-Key": "Swordfish"}, 401),
        ({"X-API-Key": "who may ask"}, 401),
        ({"Authorization": "Bearer swordfish"}, 200),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic YW55b25lOnN3b3JkZmlzaA=="}, 200),
        ({"Authorization": "Basic c3dvcmRmaXNoOg=="}, 401),
        ({"Authorization": "nonsense"}, 401),
    ],
)
def test_a_key_is_required_if_keys_are_set(headers: dict[str, str], status: int) -> None:
    answer = guarded(api_keys=KEYS).get("/rows", headers=headers)
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_health_needs_no_key() -> None:
    assert guarded(api_keys=KEYS).get("/health").status_code == 200


@given(rate=st.floats(0.5, 1_000), requests=st.integers(1, 50))
def test_each_caller_may_send_the_requests_of_one_second_at_once(
    rate: float, requests: int
) -> None:
    limiter = RateLimiter(rate, clock=lambda: 7.0)
    for caller in ("a", "b"):
        waits = [limiter.acquire(caller) for _ in range(requests)]
        allowed = waits.count(0.0)
        assert allowed == min(requests, max(1, int(rate)))
        assert all(0 < wait <= 1 / rate + 1e-9 for wait in waits[allowed:])


def test_tokens_come_back_with_time() -> None:
    now = [0.0]
    limiter = RateLimiter(2.0, clock=lambda: now[0])
    assert [limiter.acquire("a") for _ in range(3)] == [0.0, 0.0, 0.5]
    now[0] = 0.5
    assert limiter.acquire("a") == 0.0
    assert limiter.acquire("a") == 0.5


def test_the_number_of_remembered_callers_is_limited() -> None:
    limiter = RateLimiter(1.0, clock=lambda: 0.0)
    assert limiter.acquire("first") == 0.0
    for number in range(10_000):
        limiter.acquire(str(number))
    assert limiter.acquire("first") == 0.0


def test_without_a_key_readiness_does_not_name_the_model(trained_shop: Project) -> None:
    sets = ["log.sink=none", f"store.root={trained_shop.folder}"]
    environ = {"LIGHTMODEL__SERVE__API_KEYS": "one:secret"}
    client = create_app(load(None, sets, environ).config).test_client()
    anonymous = client.get("/ready")
    assert (anonymous.status_code, anonymous.json) == (200, {"status": "ready"})
    known = client.get("/ready", headers={"X-API-Key": "secret"})
    assert known.json == {"status": "ready", "version": trained_shop.models()[0].name}


@pytest.mark.usefixtures("no_time_passes")
def test_wrong_keys_are_limited_too() -> None:
    environ = {"LIGHTMODEL__SERVE__API_KEYS": "secret"}
    limits = ["serve.rate_limit=1", "serve.workers=1", "log.sink=none", f"store.root={Path.cwd()}"]
    client = create_app(load(None, limits, environ).config).test_client()
    wrong = [client.get("/schema", headers={"X-API-Key": f"guess {n}"}) for n in range(3)]
    assert [answer.status_code for answer in wrong] == [401, 429, 429]
    right = client.get("/schema", headers={"X-API-Key": "secret"})
    assert right.status_code == 503  # there is no model; the key's own bucket is full


def cors_client(*origins: str) -> FlaskClient:
    sets = ["log.sink=none", f"store.root={Path.cwd()}", f"serve.cors_origins={list(origins)}"]
    environ = {"LIGHTMODEL__SERVE__API_KEYS": "secret"}
    return create_app(load(None, sets, environ).config).test_client()


def test_no_other_origin_is_allowed_by_default() -> None:
    answer = cors_client().get("/health", headers={"Origin": "https://a.example"})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (["https://a.example"], "https://a.example", "https://a.example"),
        (["https://a.example"], "https://b.example", None),
        (["*"], "https://b.example", "*"),
    ],
)
def test_pages_of_listed_origins_may_call_the_service(
    origins: list[str], origin: str, allowed: str | None
) -> None:
    client = cors_client(*origins)
    preflight = client.options("/predict", headers={"Origin": origin})
    assert preflight.status_code == 200
    called = client.post("/predict", headers={"Origin": origin, "X-API-Key": "secret"})
    for answer in (preflight, called):
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert "Origin" in answer.headers["Vary"]
    assert ("X-API-Key" in preflight.headers.get("Access-Control-Allow-Headers", "")) == bool(
        allowed
    )
    assert client.post("/predict").status_code == 401


def test_workers_share_the_buckets(tmp_path: Path) -> None:
    workers = [RateLimiter(4.0, str(tmp_path), clock=lambda: 7.0) for _ in range(3)]
    waits = [workers[turn % 3].acquire("a") for turn in range(9)]
    assert waits.count(0.0) == 4
    assert workers[0].acquire("b") == 0.0


def test_processes_never_hand_out_a_token_twice(tmp_path: Path) -> None:
    code = (
        "import sys; from lightmodel.service.rate_limit import RateLimiter;"
        "limiter = RateLimiter(1000.0, sys.argv[1], clock=lambda: 7.0);"
        "print(sum(limiter.acquire('a') == 0 for _ in range(700)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with ThreadPoolExecutor(3) as pool:
        outputs = list(pool.map(lambda _: subprocess.check_output(command, env=environ), range(3)))
    assert sum(map(int, outputs)) == 1000


def test_each_replica_allows_its_part_of_the_rate() -> None:
    callers = Callers(ServeSection(rate_limit=8.0, replicas=4))
    allowed = [callers.acquire("key", "") for _ in range(3)]
    assert allowed[:2] == [0.0, 0.0]
    assert allowed[2] > 0
