"""A receiver of messages over HTTP, such as a chat's incoming webhook."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.fakes.loopback import serving


@dataclass
class Receiver:
    """The address to post to, the texts that came, and the status of the answers."""

    url: str = ""
    texts: list[str] = field(default_factory=list)
    status: int = 200


@contextmanager
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.texts.append(json.loads(body)["text"])
            self.send_response(state.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Handler) as address:
        state.url = f"{address}/secret-hook"
        yield state
