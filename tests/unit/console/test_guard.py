"""Pages of other sites are turned away, and every answer has its headers."""

from collections.abc import Iterator

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lightmodel.console.guard import HEADERS, Guard
from tests.fakes.console import asgi_server


async def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with asgi_server(Guard(Starlette(routes=[Route("/", hello)]))) as url:
        yield url


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_site_may_not_call(address: str, origin: str) -> None:
    answer = requests.get(address, headers={"Origin": origin}, timeout=60)
    assert answer.status_code == 403
    assert answer.text != "hello"


def test_a_page_of_the_console_and_a_program_may(address: str) -> None:
    for headers in ({"Origin": address}, {}):
        answer = requests.get(address, headers=headers, timeout=60)
        assert answer.text == "hello"
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_a_connection_from_another_site_is_closed(address: str) -> None:
    headers = {
        "Origin": "http://evil.example",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert requests.get(address, headers=headers, timeout=60).status_code in {403, 404}
