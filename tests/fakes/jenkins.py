"""Jenkins' API, as far as starting a job and watching it goes, on a loopback port."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FakeJenkins:
    """What it knows; `result` None means that the build is at work."""

    url: str = ""
    user: str = "Basic Ym90OnRva2Vu"  # bot:token
    building: bool = False
    started: bool = False
    result: str | None = None
    asked: list[str] = field(default_factory=list)


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
            if self.headers.get("Authorization") != state.user:
                self.answer(401, {})
            elif self.path == "/job/train/api/json":
                self.answer(200, {"inQueue": False, "lastBuild": {"building": state.building}})
            elif self.path == "/queue/item/7/api/json":
                build = {"executable": {"url": f"{state.url}/1/"}} if state.started else {}
                self.answer(200, {"inQueueSince": 1_700_000_000_000, **build})
            elif self.path == "/job/train/1/api/json":
                self.answer(200, {"result": state.result})
            else:
                self.answer(404, {})

        def do_POST(self) -> None:
            state.asked.append(f"POST {self.path}")
            if self.headers.get("Authorization") != state.user:
                self.answer(403, {})
            else:
                self.answer(201, {}, Location=f"{state.url.partition('/job')[0]}/queue/item/7/")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/job/train"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
