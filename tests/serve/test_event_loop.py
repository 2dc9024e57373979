"""Connections on an event loop: silent, endless, pipelined, unread, stopping, and shared evenly."""

import json
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
import requests

from tests.fakes.project import Project
from tests.fakes.server import log_of, master_of, serving
from tests.fakes.waiting import wait_until
from tests.serve.conftest import Shop
from tests.serve.test_connections import answer_on, connect, held_by
from tests.serve.test_forms import ROWS, as_csv, expected, records

ROW = json.dumps(records(ROWS)[0]).encode()
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def json_request(body: bytes, *more: str, path: str = "/predict") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


def csv_head(length: int) -> bytes:
    lines = ["POST /predict HTTP/1.1", "Host: x", "Content-Type: text/csv"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def csv_request(body: bytes) -> bytes:
    return csv_head(len(body)) + body


def read_until_closed(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


@pytest.fixture
def one_worker(trained_shop: Project) -> Iterator[str]:
    settings = {"LIGHTMODEL__SERVE__WORKERS": "1", "LIGHTMODEL__SERVE__READ_TIMEOUT_S": "2"}
    with serving(trained_shop, **settings) as address:
        yield address


def test_pipelined_requests_are_all_answered_in_order(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        unknown = json_request(b'{"no": 1}')
        last = json_request(ROW, "Connection: close")
        connection.sendall(json_request(ROW) + HEALTH + unknown + json_request(ROW) + last)
        received = read_until_closed(connection)
    statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"422", b"200", b"200"]
    assert received.count(json.dumps(expected(shop)[0], separators=(",", ":")).encode()) == 3


def test_a_client_that_asks_for_http_2_is_answered_in_http_1(shop: Shop) -> None:
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    with closing(connect(shop.address)) as connection:
        for body in (
            ROW,
            as_json_rows(50),
            ROW,
        ):  # as Java's client does, and for each of its requests
            connection.sendall(json_request(body, *upgrade))
            status, answer = answer_on(connection)
            assert status == 200
            assert len(json.loads(answer)) == body.count(b"visit_id")


def as_json_rows(count: int) -> bytes:
    return json.dumps(records(ROWS)[:count]).encode()


def test_a_method_for_proxies_is_refused(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        connection.sendall(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
        assert read_until_closed(connection).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    ("sent", "status", "detail"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "not a valid HTTP request"),
        (b"GET /health HTTP/1.1\r\nX-Long: " + b"x" * (70 << 10), 431, "64 KB"),
        (
            json_request(ROW, "Transfer-Encoding: chunked"),
            400,
            "not a valid HTTP request",
        ),
    ],
    ids=["TLS", "an endless head", "two lengths"],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(
    shop: Shop, sent: bytes, status: int, detail: str
) -> None:
    with closing(connect(shop.address)) as connection:
        connection.sendall(sent)
        head, _, body = read_until_closed(connection).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert detail in json.loads(body)["detail"]


def test_a_head_that_does_not_end_is_closed_after_the_read_timeout(one_worker: str) -> None:
    with closing(connect(one_worker)) as silent, closing(connect(one_worker)) as trickling:
        trickling.sendall(HEALTH[:10])
        assert read_until_reset(silent) == b""
        assert read_until_reset(trickling) == b""


def read_until_reset(connection: socket.socket) -> bytes:
    try:
        return read_until_closed(connection)
    except ConnectionResetError:
        return b""


def test_silent_and_trickling_clients_do_not_delay_a_probe(one_worker: str) -> None:
    with ExitStack() as stack:
        for number in range(64):
            client = stack.enter_context(closing(connect(one_worker)))
            # half of them say nothing, a quarter a part of a head, and a quarter a part of a body
            client.sendall((b"", HEALTH[:20], b"", csv_head(9999) + b"visit_id,")[number % 4])
        for path in ("health", "ready", "ping"):
            # with a thread for each of them, it would not be answered before their timeout
            assert requests.get(f"{one_worker}/{path}", timeout=1).status_code == 200


def test_a_short_json_body_that_stops_arriving_gets_408(one_worker: str) -> None:
    with closing(connect(one_worker)) as connection:
        connection.sendall(json_request(ROW)[:-5])
        status, body = answer_on(connection)
    assert status == 408
    assert "no data arrived for 2 s" in json.loads(body)["detail"]


@pytest.mark.parametrize(
    "request_", [json_request(ROW), csv_request(as_csv(ROWS))], ids=["JSON", "CSV"]
)
def test_a_client_that_stops_sending_after_its_request_is_answered(
    shop: Shop, request_: bytes
) -> None:
    with closing(connect(shop.address)) as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        assert read_until_closed(connection).startswith(b"HTTP/1.1 200 ")


def test_a_request_is_answered_though_rubbish_follows(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        connection.sendall(csv_request(as_csv(ROWS)) + b"\0\0\0 rubbish\r\n\r\n")
        assert answer_on(connection)[0] == 200


def test_the_answer_of_a_request_before_a_cut_one_arrives(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        connection.sendall(csv_request(as_csv(ROWS)) + HEALTH[:10])
        connection.shutdown(socket.SHUT_WR)
        assert answer_on(connection)[0] == 200


def test_bodies_do_not_count_as_heads(shop: Shop) -> None:
    many = as_json_rows(100)
    with closing(connect(shop.address)) as connection:
        for _ in range(20):  # over 64 KB, and each packet ends within a head
            connection.sendall(json_request(many) + HEALTH[:10])
            assert answer_on(connection)[0] == 200
            connection.sendall(HEALTH[10:])
            assert answer_on(connection)[0] == 200


def test_a_long_head_is_refused_though_it_comes_at_once(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        connection.sendall(HEALTH[:-2] + b"X-Long: " + b"x" * (65 << 10) + b"\r\n\r\n")
        assert read_until_closed(connection).startswith(b"HTTP/1.1 431 ")


def test_fields_after_a_chunked_body_are_dropped_and_limited(shop: Shop) -> None:
    head = csv_head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    body = as_csv(ROWS)
    chunks = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    with closing(connect(shop.address)) as connection:
        connection.sendall(head + chunks + b"X-Request-ID: forged\r\nConnection: close\r\n\r\n")
        status, _ = answer_on(connection)
        assert status == 200
        connection.sendall(head + chunks)
        received = b""
        with suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"X-More: " + b"x" * 1024 + b"\r\n")
            received = connection.recv(100)
        assert not received.startswith(b"HTTP/1.1 200")
    assert '"request_id":"forged"' not in log_of(shop.project, shop.address).read_text()


def test_an_idle_connection_is_kept_for_keepalive_s(trained_shop: Project) -> None:
    settings = {"LIGHTMODEL__SERVE__READ_TIMEOUT_S": "0.2", "LIGHTMODEL__SERVE__KEEPALIVE_S": "60"}
    with serving(trained_shop, **settings) as address, closing(connect(address)) as kept:
        kept.sendall(HEALTH)
        assert answer_on(kept)[0] == 200
        with closing(connect(address)) as silent:
            assert read_until_reset(silent) == b""  # later than the deadline of a head
        kept.sendall(HEALTH)
        assert answer_on(kept)[0] == 200


@pytest.mark.parametrize("signal_", [signal.SIGHUP, signal.SIGTERM], ids=str)
def test_a_busy_client_is_told_before_its_connection_is_closed(
    trained_shop: Project, signal_: signal.Signals
) -> None:
    with serving(trained_shop, LIGHTMODEL__SERVE__WORKERS="1") as address, ExitStack() as stack:
        busy = stack.enter_context(closing(connect(address)))
        busy.sendall(json_request(ROW))
        assert answer_on(busy)[0] == 200
        master_of(address).send_signal(signal_)
        received = b""
        while b"connection: close" not in received:
            busy.sendall(json_request(ROW))
            received = busy.recv(65536)
            assert received.startswith(b"HTTP/1.1 200 ")


def test_a_broken_chunk_is_refused(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        head = csv_head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        connection.sendall(head + b"5\r\nvisit\r\nno length\r\n")
        assert read_until_closed(connection).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_does_not_read_is_closed(one_worker: str) -> None:
    body = as_csv(ROWS)
    header, _, rows = body.partition(b"\n")
    body = header + b"\n" + rows * 600  # its answer is larger than the buffers of both sides
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = one_worker.removeprefix("http://").split(":")
        connection.connect((host, int(port)))
        connection.sendall(csv_head(len(body)) + body)
        (worker,) = master_of(one_worker).children()
        wait_until(lambda: not held_by(worker), "the end of the connection")


@pytest.mark.parametrize("start", range(3))
def test_connections_are_shared_evenly_among_the_workers(trained_shop: Project, start: int) -> None:
    with (
        serving(trained_shop, LIGHTMODEL__SERVE__WORKERS="2") as address,
        ExitStack() as stack,
    ):
        master = master_of(address)
        wait_until(lambda: len(master.children()) == 2, "both workers")
        workers = master.children()
        with ExitStack() as first:

            def both_accept() -> bool:
                first.enter_context(closing(connect(address)))
                return all(map(held_by, workers))

            wait_until(both_accept, "the start of both workers")
        wait_until(lambda: not any(map(held_by, workers)), "the end of these connections")
        opened = [stack.enter_context(closing(connect(address))) for _ in range(8)]
        for connection in opened:
            connection.sendall(HEALTH)
        assert [answer_on(connection)[0] for connection in opened] == [200] * 8
        assert [len(held_by(worker)) for worker in workers] == [4, 4], f"start {start}"


def test_a_stopping_service_says_so_and_accepts_no_more(trained_shop: Project) -> None:
    with serving(trained_shop, LIGHTMODEL__SERVE__WORKERS="1") as address, ExitStack() as stack:
        probe, slow = (stack.enter_context(closing(connect(address))) for _ in range(2))
        probe.sendall(HEALTH)
        assert answer_on(probe)[0] == 200
        slow.sendall(csv_head(100) + b"visit_id,")
        master = master_of(address)
        master.send_signal(signal.SIGTERM)
        log = log_of(trained_shop, address)
        wait_until(lambda: "Handling signal: term" in log.read_text(), "the stop's beginning")
        wait_until(lambda: is_refused(address), "the end of the port")
        probe.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        received = read_until_closed(probe)
        assert received.startswith(b"HTTP/1.1 503 ")
        assert b"the service is stopping" in received
        assert b"connection: close" in received


def is_refused(address: str) -> bool:
    try:
        connect(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_short_json_request_has_the_same_headers_as_any_other(shop: Shop) -> None:
    """It is answered on the event loop, the other one, because of its query, by Flask."""
    headers = {"Content-Type": "application/json", "X-Request-ID": "same"}
    answers = [
        requests.post(
            f"{shop.address}/predict", data=ROW, headers=headers, params=params, timeout=60
        )
        for params in ({}, {"threshold": "0.5"})
    ]
    direct, flask = answers
    assert direct.json() == flask.json()
    assert Counter(map(str.lower, direct.headers)) == Counter(map(str.lower, flask.headers))
    varying = {"date", "server-timing"}
    for name in set(direct.headers) - varying:
        if name.lower() not in varying:
            assert direct.headers[name] == flask.headers[name], name
    log = log_of(shop.project, shop.address).read_text().splitlines()
    lines = [json.loads(line) for line in log if '"request_id":"same"' in line]
    assert [sorted(line) for line in lines[-2:]] == [sorted(lines[-1])] * 2


def test_pipelined_requests_behind_a_slow_one_wait_in_bounded_memory(shop: Shop) -> None:
    body = as_csv(ROWS)
    with closing(connect(shop.address)) as connection:
        connection.sendall(
            csv_request(body) + HEALTH * 2000 + json_request(ROW, "Connection: close")
        )
        received = read_until_closed(connection)
    assert received.count(b"HTTP/1.1 200 ") == 2002


def test_a_broken_request_behind_another_does_not_take_its_answer(shop: Shop) -> None:
    broken = csv_head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with closing(connect(shop.address)) as connection:
        connection.sendall(csv_request(as_csv(ROWS)) + broken + b"5\r\nvisit\r\nno length\r\n")
        status, body = answer_on(connection)
    assert (status, json.loads(body)) == (200, expected(shop))
