"""The part of Jenkins' API that starts a job and watches it, on loopback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.fakes.loopback import serving

QUEUED = 1_700_000_000_000  # Unix time in milliseconds


@dataclass
class FakeJenkins:
    """The state of the fake; `result` None means that the build is running."""

    url: str = ""
    user: str = "Basic Ym90OnRva2Vu"  # bot:token
    building: bool = False
    started: bool = False
    result: str | None = None
    parameters: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    instead: object = None

    def page(self, address: str) -> tuple[int, object]:
        """Return status and content of an address; `instead` stands for all that Jenkins would say."""
        if self.instead is not None:
            return 200, self.instead
        path, _, query = unquote(address).partition("?")
        build = {"executable": {"url": f"{self.url}/1/"}} if self.started else {}
        pages: dict[str, dict[str, Any]] = {
            "/job/train/api/json": self._job(details="lastBuild[" in query),
            "/queue/item/7/api/json": {"inQueueSince": QUEUED, **build},
            "/job/train/1/api/json": self._build(),
        }
        return (200, pages[path]) if path in pages else (404, {})

    def _build(self) -> dict[str, Any]:
        times = {"timestamp": QUEUED + 1_000, "duration": 60_000 if self.result else 0}
        return {"building": self.building, "result": self.result, **times}

    def _job(self, *, details: bool) -> dict[str, Any]:
        """Return the job; what its last build is like, Jenkins says only if it is asked for that."""
        last = {"number": 1, "url": f"{self.url}/1/", **(self._build() if details else {})}
        definitions = [{"name": name} for name in self.parameters]
        return {
            "inQueue": False,
            "lastBuild": last if self.started or self.building else None,
            "property": [{}, {"parameterDefinitions": definitions}] if definitions else [{}],
        }

    def start(self, path: str, form: dict[str, str]) -> int:
        """Start a build as the job's parameters demand it, and return the status."""
        if path != f"/job/train/{'buildWithParameters' if self.parameters else 'build'}":
            return 400
        self.given = {name: value for name, value in form.items() if name in self.parameters}
        return 201


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
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                status = state.start(self.path, dict(parse_qsl(body)))
                self.answer(status, {}, Location=f"{state.url.partition('/job')[0]}/queue/item/7/")

    with serving(Handler) as address:
        state.url = f"{address}/job/train"
        yield state
