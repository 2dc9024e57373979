"""Bodies that are streamed from an event loop to a thread, and the environment of a WSGI application."""

import asyncio
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.service.wsgi_threads import BodyStream, Message, WsgiThreads, environ_of

SCOPE: dict[str, Any] = {
    "method": "POST",
    "raw_path": b"/a%20b/%C3%A9",
    "path": "/a b/é",
    "query_string": b"threshold=0.5",
    "http_version": "1.1",
    "scheme": "http",
    "server": ("127.0.0.1", 5001),
    "client": ("10.0.0.1", 1234),
    "headers": [],
}


class Sender:
    """The sending side of a request: its pieces one by one, then nothing more."""

    def __init__(self, pieces: Sequence[bytes], *, leaves: bool = False) -> None:
        self.messages: list[Message] = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        last = "http.disconnect" if leaves else "http.request"
        self.messages.append({"type": last, "body": b"", "more_body": False})
        self.received = 0

    async def receive(self) -> Message:
        message = self.messages[self.received]
        self.received += 1
        await asyncio.sleep(0)
        return message


def read_all(pieces: Sequence[bytes], size: int, *, leaves: bool = False) -> bytes:
    """Return what a thread reads, `size` bytes at a time, while the loop fills the stream."""

    def read(stream: BodyStream) -> bytes:
        parts = []
        while part := stream.read(size):
            parts.append(part)
        return b"".join(parts)

    async def both() -> bytes:
        loop = asyncio.get_running_loop()
        stream = BodyStream(loop, timeout_s=30)
        with ThreadPoolExecutor(1) as pool:
            filling = loop.create_task(stream.fill(Sender(pieces, leaves=leaves).receive))
            try:
                return await loop.run_in_executor(pool, read, stream)
            finally:
                await filling

    return asyncio.run(both())


@given(pieces=st.lists(st.binary(max_size=50), max_size=20), size=st.integers(1, 60))
def test_a_thread_reads_what_the_loop_receives(pieces: list[bytes], size: int) -> None:
    assert read_all(pieces, size) == b"".join(pieces)


def test_a_body_larger_than_the_queue_is_read_completely() -> None:
    pieces = [bytes([number % 256]) * 100_000 for number in range(100)]
    assert read_all(pieces, 7_777) == b"".join(pieces)


def test_no_more_is_received_than_a_thread_has_room_for() -> None:
    async def fill() -> int:
        loop = asyncio.get_running_loop()
        sender = Sender([b"x" * 300_000] * 50)
        filling = loop.create_task(BodyStream(loop, timeout_s=1).fill(sender.receive))
        for _ in range(200):  # turns of the loop, in which nobody reads
            await asyncio.sleep(0)
        filling.cancel()
        return sender.received

    assert asyncio.run(fill()) == 4  # the first that exceed 1 MB


def test_a_client_that_leaves_is_an_error_of_the_connection() -> None:
    with pytest.raises(ConnectionError):
        read_all([b"half of a b"], 100, leaves=True)


def test_a_client_that_sends_nothing_is_waited_for_only_so_long() -> None:
    async def read() -> bytes:
        return BodyStream(asyncio.get_running_loop(), timeout_s=0.01).read(10)

    with pytest.raises(TimeoutError):
        asyncio.run(read())


def test_the_environment_names_the_request() -> None:
    headers = [
        (b"content-type", b"text/csv"),
        (b"accept", b"text/csv"),
        (b"accept", b"application/json"),
        (b"x_forwarded_for", b"1.2.3.4"),  # not the header that a proxy sets
    ]
    environ = environ_of({**SCOPE, "headers": headers}, io.BytesIO())
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/a b/é"
    assert environ["QUERY_STRING"] == "threshold=0.5"
    assert environ["CONTENT_TYPE"] == "text/csv"
    assert environ["HTTP_ACCEPT"] == "text/csv,application/json"
    assert environ["REMOTE_ADDR"] == "10.0.0.1"
    assert "HTTP_X_FORWARDED_FOR" not in environ


def test_an_answer_before_the_end_of_the_body_closes_the_connection() -> None:
    def refuse(_: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("413 Content Too Large", [("Content-Length", "3")])
        return [b"big"]

    async def answer(sender: Sender) -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        with ThreadPoolExecutor(1) as pool:
            await WsgiThreads(refuse, 1.0).answer(SCOPE, sender.receive, send, pool)
        return sent

    whole, cut = (asyncio.run(answer(Sender([b"x" * 300_000] * n))) for n in (0, 50))
    assert [message["status"] for message in (whole[0], cut[0])] == [413, 413]
    assert (b"connection", b"close") not in whole[0]["headers"]
    assert (b"connection", b"close") in cut[0]["headers"]
    assert b"".join(message.get("body", b"") for message in cut) == b"big"
