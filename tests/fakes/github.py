"""GitHub's API for webhooks, and the Jenkins that receives them, on loopback."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

TOKEN, REPOSITORY = "ghp-token-of-somebody", "team/tables"


@dataclass(frozen=True)
class Reply:
    """A response of the server."""

    status: int
    content: object = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class GitHub:
    """The webhooks of one repository on GitHub.

    Attributes:
        url: of its API.
        hooks: by number.
        deliveries: of each hook, newest first.
        refuses: status and headers for every request from now on, if not None.
    """

    url: str = ""
    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    deliveries: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    refuses: tuple[int, dict[str, str]] | None = None

    def make(self, content: dict[str, Any]) -> dict[str, Any]:
        number = max(self.hooks, default=100) + 1
        self.hooks[number] = {**content, "id": number}
        self.deliveries[number] = []
        return self.hooks[number]

    def ping(self, number: int) -> None:
        config = self.hooks[number]["config"]
        body = json.dumps({"zen": "Keep it logically awesome.", "hook_id": number}).encode()
        digest = hmac.new(config["secret"].encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-GitHub-Event": "ping",
            "X-Hub-Signature-256": f"sha256={digest}",
            "Content-Type": "application/json",
        }
        try:
            status = requests.post(
                config["url"], body, headers=headers, timeout=60, allow_redirects=False
            ).status_code
        except requests.RequestException:
            status = 0
        deliveries = self.deliveries[number]
        words = "OK" if status == 200 else "failed to connect to host"
        ping = {"id": len(deliveries) + 1, "event": "ping", "status_code": status, "status": words}
        deliveries.insert(0, ping)

    def answer(self, method: str, target: str, token: str, content: dict[str, Any]) -> Reply:
        path, _, query = target.partition("?")
        if self.refuses:
            return Reply(self.refuses[0], headers=self.refuses[1])
        if token != f"Bearer {TOKEN}":
            return Reply(401, {"message": "Bad credentials"})
        if not path.startswith(f"/repos/{REPOSITORY}/hooks"):
            return Reply(404, {"message": "Not Found"})
        rest = path.removeprefix(f"/repos/{REPOSITORY}/hooks").strip("/").split("/")
        if not rest[0]:
            return self._of_all(method, query, content)
        return self._of_one(method, int(rest[0]), rest[1:], content)

    def _of_all(self, method: str, query: str, content: dict[str, Any]) -> Reply:
        if method == "POST":
            return Reply(201, self.make(content))
        page = int(dict(one.split("=") for one in query.split("&"))["page"])
        return Reply(200, list(self.hooks.values())[100 * page - 100 : 100 * page])

    def _of_one(self, method: str, number: int, rest: list[str], content: dict[str, Any]) -> Reply:
        match (method, rest):
            case ("PATCH", []):
                self.hooks[number].update(content)
                return Reply(200, self.hooks[number])
            case ("DELETE", []):
                del self.hooks[number]
                return Reply(204)
            case ("GET", ["deliveries"]):
                return Reply(200, self.deliveries[number])
            case ("POST", ["pings"]):
                threading.Timer(0.1, self.ping, [number]).start()
                return Reply(204)
        return Reply(405)


def _send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    body = b"" if reply.content is None else json.dumps(reply.content).encode()
    handler.send_response(reply.status)
    for name, value in {**reply.headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _api(state: GitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _served(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content = json.loads(body or b"{}")
            token = self.headers["Authorization"]
            _send(self, state.answer(self.command, self.path, token, content))

        do_GET = do_POST = do_PATCH = do_DELETE = _served  # noqa: N815 — the server's own names

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _jenkins(secret: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            if self.path == "/github-webhook":
                _send(self, Reply(302))
            elif self.path != "/github-webhook/":
                _send(self, Reply(403))
            elif self.headers.get("X-Hub-Signature-256") != f"sha256={digest}":
                _send(self, Reply(400))
            else:
                _send(self, Reply(200))

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def github() -> Iterator[GitHub]:
    """Yield a GitHub with one repository and no webhook."""
    state = GitHub()
    with _served(_api(state)) as state.url:
        yield state


@contextmanager
def jenkins_endpoint(secret: str) -> Iterator[str]:
    """Yield the address of a Jenkins whose GitHub plugin knows the secret, and answers as 2.568 does."""
    with _served(_jenkins(secret)) as url:
        yield url
