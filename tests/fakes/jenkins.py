"""The part of Jenkins' API that starts a job and watches it, on loopback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.loopback import serving


@dataclass
class FakeJenkins:
    """The state of the fake; `result` None means that the build is running."""

    url: str = ""
    user: str = "Basic Ym90OnRva2Vu"  # bot:token
    building: bool = False
    started: bool = False
    result: str | None = None
    asked: list[str] = field(default_factory=list)

    def page(self, path: str) -> tuple[int, dict[str, Any]]:
        build = {"executable": {"url": f"{self.url}/1/"}} if self.started else {}
        pages: dict[str, dict[str, Any]] = {
            "/job/train/api/json": {"inQueue": False, "lastBuild": {"building": self.building}},
            "/queue/item/7/api/json": {"inQueueSince": 1_700_000_000_000, **build},
            "/job/train/1/api/json": {"result": self.result},
        }
        return (200, pages[path]) if path in pages else (404, {})


@contextmanager
def jenkins() -> Iterator[FakeJenkins]:
    state = FakeJenkins()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, content: object, **headers: str) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            state.asked.append(self.path)
            known = self.headers.get("Authorization") == state.user
            self.answer(*(state.page(self.path) if known else (401, {})))

        def do_POST(self) -> None:
            state.asked.append(f"POST {self.path}")
            if self.headers.get("Authorization") != state.user:
                self.answer(403, {})
            else:
                self.answer(201, {}, Location=f"{state.url.partition('/job')[0]}/queue/item/7/")

    with serving(Handler) as address:
        state.url = f"{address}/job/train"
        yield state
