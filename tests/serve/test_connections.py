"""Clients that are slow, that disconnect, or that send more than the limit."""

import json
import socket
from contextlib import closing
from urllib.parse import urlparse

import psutil
import requests

from tests.fakes.project import Project
from tests.fakes.server import master_of, serving
from tests.fakes.waiting import wait_until
from tests.serve.conftest import Shop
from tests.serve.test_forms import ROWS, as_csv, expected, send

GOOD = as_csv(ROWS)


def connect(address: str) -> socket.socket:
    parts = urlparse(address)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)


def head(length: int | None, *more: str) -> bytes:
    body = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = ["POST /predict HTTP/1.1", "Host: x", "Content-Type: text/csv", body, *more]
    return "\r\n".join([*lines, "", ""]).encode()


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        assert piece, "the connection was closed without an answer"
        received += piece
    top, _, body = received.partition(b"\r\n\r\n")
    length = int(top.lower().partition(b"content-length: ")[2].split()[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(top.split()[1]), body


def test_a_slow_client_is_answered_and_delays_nobody(shop: Shop) -> None:
    with closing(connect(shop.address)) as slow:
        slow.sendall(head(len(GOOD)))
        for at in range(0, len(GOOD), len(GOOD) // 10 + 1):
            slow.sendall(GOOD[at : at + len(GOOD) // 10 + 1])
            assert send(shop, GOOD).status_code == 200
        status, body = answer_on(slow)
    assert (status, json.loads(body)) == (200, expected(shop))


def test_a_body_in_chunks_is_answered(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        connection.sendall(head(None))
        for at in range(0, len(GOOD), 777):
            piece = GOOD[at : at + 777]
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        status, body = answer_on(connection)
    assert (status, json.loads(body)) == (200, expected(shop))


def test_a_client_that_stops_sending_gets_408(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        connection.sendall(head(len(GOOD)) + GOOD[:100])
        status, body = answer_on(connection)
    assert status == 408
    assert "no data arrived for 2 s" in json.loads(body)["detail"]


def test_a_too_large_content_length_is_answered_with_413_and_no_reset(shop: Shop) -> None:
    with closing(connect(shop.address)) as connection:
        size = 20 << 20
        connection.sendall(head(size))
        for _ in range(20):
            connection.sendall(b"x" * (1 << 20))
        status, body = answer_on(connection)
    assert status == 413
    assert "max_body_mb" in json.loads(body)["detail"]


def test_a_line_of_100_mb_is_refused(trained_shop: Project) -> None:
    with serving(trained_shop) as address:
        line = b"visit_id,age,spent,where\n" + b"v" * (100 << 20)
        answer = requests.post(
            f"{address}/predict", data=line, headers={"Content-Type": "text/csv"}, timeout=60
        )
    assert answer.status_code in {413, 422}  # by which reader of rows there is
    assert "is longer than" in answer.json()["detail"]


def held_by(worker: psutil.Process) -> list[object]:
    """Return the connections that a worker holds, also those that its client has closed."""
    connections = worker.net_connections("tcp")
    return [one for one in connections if one.status != psutil.CONN_LISTEN]


def test_disconnected_clients_leave_no_open_connection(shop: Shop) -> None:
    workers = master_of(shop.address).children()
    for number in range(40):
        with closing(connect(shop.address)) as connection:
            connection.sendall(head(len(GOOD)) + GOOD[: 50 * number])
    assert send(shop, GOOD).status_code == 200
    wait_until(
        lambda: not any(held_by(worker) for worker in workers),
        "the end of the abandoned connections",
    )
    assert all(worker.num_threads() < 40 for worker in workers)
