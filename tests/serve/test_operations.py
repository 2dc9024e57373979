"""The service in operation: metrics, request ids, API keys, rate limits, signals."""

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.project import Project
from tests.fakes.server import log_of, master_of, serving
from tests.fakes.waiting import wait_until
from tests.serve.conftest import Shop
from tests.serve.test_connections import answer_on, connect, head
from tests.serve.test_forms import ROWS, as_csv, expected, send

GOOD = as_csv(ROWS)
KEYS = "# who may ask\nalice:wonder\nplain-key\n"


def counted(address: str) -> dict[tuple[str, str], float]:
    """Samples of /metrics by name and labels."""
    text = requests.get(f"{address}/metrics", timeout=60).text
    return {
        (sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def two_workers(trained_shop: Project, tmp_path: Path) -> Iterator[str]:
    settings = {"LIGHTMODEL__SERVE__WORKERS": "2", "LIGHTMODEL__LOG__FOLDER": str(tmp_path / "log")}
    with serving(trained_shop, **settings) as address:
        yield address


def test_metrics_are_exact_with_two_workers(two_workers: str, trained_shop: Project) -> None:
    shop = Shop(two_workers, trained_shop)

    def ask(number: int) -> int:
        return send(shop, GOOD if number % 4 else b"age\n1\n").status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(80)))
    assert (statuses.count(200), statuses.count(422)) == (60, 20)
    samples = counted(two_workers)
    assert samples["lightmodel_requests_total", "method=POST,route=/predict,status=200"] == 60
    assert samples["lightmodel_requests_total", "method=POST,route=/predict,status=422"] == 20
    assert samples["lightmodel_request_seconds_count", "route=/predict"] == 80
    assert samples["lightmodel_errors_total", "kind=ContractViolation"] == 20
    assert samples["lightmodel_rows_total", ""] == 60 * len(ROWS)
    scores = [value for (name, _), value in samples.items() if name == "lightmodel_scores_total"]
    assert sum(scores) == 60 * len(ROWS)
    version = trained_shop.models()[0].name
    assert samples["lightmodel_model_info", f"version={version}"] == 1
    assert time.time() - samples["lightmodel_model_created_timestamp_seconds", ""] < 3600
    logged = ("lightmodel_log_rows_total", "what=logged")
    wait_until(lambda: counted(two_workers).get(logged) == sum(scores), "the last row's logging")


def test_a_request_keeps_its_id_from_the_header_to_the_log(shop: Shop) -> None:
    answer = requests.get(f"{shop.address}/nowhere", headers={"X-Request-ID": "abc-1"}, timeout=60)
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "abc-1"
    bad = requests.get(f"{shop.address}/health", headers={"X-Request-ID": "a b"}, timeout=60)
    assert bad.headers["X-Request-ID"] not in {"", "a b"}
    send(shop, GOOD)
    lines = [
        json.loads(line)
        for line in log_of(shop.project, shop.address).read_text().splitlines()
        if line.startswith("{")
    ]
    (told,) = [line for line in lines if line.get("request_id") == "abc-1"]
    assert (told["status"], told["path"], told["method"]) == (404, "/nowhere", "GET")
    assert any(line.get("rows") == len(ROWS) for line in lines)


def test_every_response_has_the_security_headers(shop: Shop) -> None:
    for path in ("/health", "/nowhere", "/predict"):
        headers = requests.get(f"{shop.address}{path}", timeout=60).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_a_key_is_required_if_keys_are_set(trained_shop: Project, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEYS)
    with serving(trained_shop, LIGHTMODEL__SERVE__API_KEYS_FILE=str(tmp_path / "keys")) as address:
        url = f"{address}/predict"
        refused = requests.post(url, data=GOOD, headers={"Content-Type": "text/csv"}, timeout=60)
        assert refused.status_code == 401
        assert "Basic" in refused.headers["WWW-Authenticate"]
        assert refused.headers["Content-Type"] == "application/problem+json"
        for headers in (
            {"X-API-Key": "wonder"},
            {"Authorization": "Bearer plain-key"},
            {"Authorization": requests.auth._basic_auth_str("anybody", "wonder")},
        ):
            answer = requests.post(
                url, data=GOOD, headers={"Content-Type": "text/csv", **headers}, timeout=60
            )
            assert answer.status_code == 200
        for wrong in ("alice", "wonde", "wonder ", "# who may ask", ""):
            answer = requests.get(f"{address}/metrics", headers={"X-API-Key": wrong}, timeout=60)
            assert answer.status_code == (200 if wrong.strip() == "wonder" else 401)
        assert requests.get(f"{address}/health", timeout=60).status_code == 200
        assert "wonder" not in log_of(trained_shop, address).read_text()


def test_an_empty_list_of_keys_does_not_allow_every_request(trained_shop: Project) -> None:
    ran = trained_shop.run(
        script="app.py", LIGHTMODEL__SERVE__API_KEYS="# none", LIGHTMODEL__SERVE__PORT="0"
    )
    assert ran.code == 78
    assert "serve.api_keys: it holds no key" in ran.err


def test_requests_beyond_the_rate_limit_get_a_retry_after(trained_shop: Project) -> None:
    limits = {"LIGHTMODEL__SERVE__RATE_LIMIT": "5", "LIGHTMODEL__SERVE__WORKERS": "1"}
    with serving(trained_shop, **limits) as address:
        start = time.monotonic()
        answers = [requests.get(f"{address}/metrics", timeout=60) for _ in range(30)]
        allowed = 5 * (2 + time.monotonic() - start)
        limited = [answer for answer in answers if answer.status_code == 429]
        assert 30 - allowed <= len(limited) <= 25
        assert limited
        assert int(limited[0].headers["Retry-After"]) >= 1
        assert requests.get(f"{address}/ready", timeout=60).status_code == 200
        wait_until(lambda: requests.get(f"{address}/metrics", timeout=60).ok, "the limit's end")


def test_sigterm_lets_requests_finish_and_does_not_wait_for_idle_connections(
    trained_shop: Project,
) -> None:
    with serving(trained_shop, LIGHTMODEL__SERVE__GRACEFUL_TIMEOUT_S="50") as address:
        shop = Shop(address, trained_shop)
        right = expected(shop)
        with closing(connect(address)) as idle, closing(connect(address)) as slow:
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer_on(idle)[0] == 200
            slow.sendall(head(len(GOOD)) + GOOD[:500])
            master = master_of(address)
            wait_until(lambda: connections_of(master) == 2, "both connections' acceptance")
            master.send_signal(signal.SIGTERM)
            log = log_of(trained_shop, address)
            wait_until(lambda: "Handling signal: term" in log.read_text(), "the stop's beginning")
            slow.sendall(GOOD[500:])
            status, body = answer_on(slow)
            assert (status, json.loads(body)) == (200, right)
            master.wait(timeout=30)  # much sooner than graceful_timeout_s


def connections_of(master: psutil.Process) -> int:
    """Return how many connections the workers of a server have accepted."""
    connections = [one for worker in master.children() for one in worker.net_connections("tcp")]
    return sum(one.status == psutil.CONN_ESTABLISHED for one in connections)


def test_sighup_replaces_the_workers_without_an_interruption(trained_shop: Project) -> None:
    with serving(trained_shop, LIGHTMODEL__SERVE__WORKERS="2") as address:
        master = master_of(address)
        before = {child.pid for child in master.children()}
        master.send_signal(signal.SIGHUP)

        def replaced() -> bool:
            assert requests.get(f"{address}/ready", timeout=60).status_code == 200
            return not before & {child.pid for child in master.children()}

        wait_until(replaced, "the workers' replacement")
        assert send(Shop(address, trained_shop), GOOD).json() == expected(
            Shop(address, trained_shop)
        )


def test_a_request_in_flight_at_sigterm_is_answered(trained_shop: Project) -> None:
    probe = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with (
        serving(trained_shop, LIGHTMODEL__SERVE__WORKERS="1") as address,
        closing(connect(address)) as connection,
    ):
        connection.sendall(probe)
        assert answer_on(connection)[0] == 200
        master_of(address).send_signal(signal.SIGTERM)
        connection.sendall(probe)
        assert answer_on(connection)[0] == 200


def test_clients_that_keep_their_connection_open_block_no_other_client(
    trained_shop: Project,
) -> None:
    with serving(trained_shop, LIGHTMODEL__SERVE__WORKERS="1") as address:
        lingering = [connect(address) for _ in range(8)]
        for one in lingering:
            one.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for one in lingering:
            assert answer_on(one)[0] == 200
        # if the accepting thread waited for them, this request would time out
        assert requests.get(f"{address}/health", timeout=5).status_code == 200
        for one in lingering:
            one.close()
