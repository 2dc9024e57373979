"""The part of Azure that `deploy azure` uses: Entra's tokens, the management API, App Service's front end.

Over TLS on loopback. A web app really starts the image that it is set to, from the registry that it
names, and its address leads to the port that WEBSITES_PORT says; without that setting it answers 503.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import requests
import trustme
from docker.errors import APIError, NotFound

from benchmarks.ports import free_port
from tests.fakes.server import wait_until_it_answers
from tests.fakes.waiting import running

CLIENT, TENANT, PASSWORD, SUBSCRIPTION = "app-id", "tenant-id", "app-password", "subscription-id"
_TOKEN = "token-of-the-app"
_REGISTRY_FILE = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass
class Place:
    """Where a version runs: production, or a slot.

    Attributes:
        principal: its identity.
        content: as it was put.
        container: that runs, if any.
        port: of its public address.
    """

    principal: str
    port: int
    content: dict[str, Any] = field(default_factory=dict)
    container: str = ""

    @property
    def settings(self) -> dict[str, str]:
        given = self.content["properties"]["siteConfig"]["appSettings"]
        return {one["name"]: one["value"] for one in given}

    @property
    def image(self) -> str:
        config = self.content["properties"]["siteConfig"]
        return str(config["linuxFxVersion"]).removeprefix("DOCKER|")


@dataclass
class Azure:
    """One subscription of the fake Azure.

    Attributes:
        folder: for certificates.
        registry: host and port of the container registry.
        resources: content by lower-case path.
        places: web app and slots, by lower-case path.
        assigned: principals that may pull.
        forgets: a setting that is lost on the way, for trying what happens then.
        asked: method and path of every request to the management API.
    """

    folder: Path
    registry: str
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    forgets: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""
    _servers: list[ThreadingHTTPServer] = field(default_factory=list)
    _tls: ssl.SSLContext | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_SECRET": PASSWORD,
            "AZURE_AUTHORITY_HOST": self.url,
            "REQUESTS_CA_BUNDLE": str(self.folder / "ca.pem"),
            "LIGHTMODEL__AZURE__MANAGEMENT": self.url,
            "LIGHTMODEL__AZURE__SUBSCRIPTION": SUBSCRIPTION,
            "LIGHTMODEL__AZURE__REGISTRY": "tables",
            "LIGHTMODEL__AZURE__APP": "predictions",
        }

    def start(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._tls)
        self.url = f"https://localhost:{self.serve(_management(self))}"

    def serve(self, handler: type[BaseHTTPRequestHandler]) -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        assert self._tls
        server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return server.server_port

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for place in self.places.values():
            self.end(place)

    def version(self) -> str:
        """Return the version of the model that answers at the public address."""
        port = next(place.port for path, place in self.places.items() if "/slots/" not in path)
        bundle = str(self.folder / "ca.pem")
        answer = requests.get(f"https://localhost:{port}/ready", verify=bundle, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["version"])

    # --- what a place runs

    def run(self, place: Place) -> None:
        """Start the image of a place if it may be pulled; otherwise the place answers nothing."""
        self.end(place)
        if place.principal not in self.assigned:
            return
        client = docker.from_env()
        port = place.settings.get("WEBSITES_PORT", "80")
        with suppress(APIError):  # an image that does not start answers nothing
            client.images.pull(place.image)
            container = client.containers.create(
                place.image, environment=place.settings, ports={f"{port}/tcp": ("127.0.0.1", 0)}
            )
            place.container = str(container.id)
            container.start()

    def end(self, place: Place) -> None:
        if place.container:
            with suppress(NotFound):
                docker.from_env().containers.get(place.container).remove(force=True, v=True)
        place.container = ""

    def upstream(self, place: Place) -> str | None:
        """Return the address of a place's container, where App Service would find it."""
        if "WEBSITES_PORT" not in place.settings or not place.container:
            return None
        container = docker.from_env().containers.get(place.container)
        bound = container.ports.get(f"{place.settings['WEBSITES_PORT']}/tcp")
        return f"http://127.0.0.1:{bound[0]['HostPort']}" if bound else None

    # --- the management API

    def manage(self, method: str, path: str, content: dict[str, Any]) -> tuple[int, Any]:
        if "/sites/" in path:
            return self._manage_site(method, path, content)
        if method == "HEAD":
            return (204 if path in self.resources else 404), None
        if method == "PUT":
            return self._put(path, content)
        return _found(self.resources.get(path))

    def _put(self, path: str, content: dict[str, Any]) -> tuple[int, Any]:
        if "/roleassignments/" in path:
            if path in self.resources:
                return 409, {"error": {"code": "RoleAssignmentExists", "message": "exists"}}
            self.assigned.add(content["properties"]["principalId"])
        properties = {**content.get("properties", {}), "provisioningState": "Succeeded"}
        if "/registries/" in path:
            properties["loginServer"] = self.registry
        name = path.rpartition("/")[2]
        self.resources[path] = {**content, "id": path, "name": name, "properties": properties}
        return 200, self.resources[path]

    def _manage_site(self, method: str, path: str, content: dict[str, Any]) -> tuple[int, Any]:
        for end in ("/config/appsettings/list", "/config/web", "/restart", "/slotsswap"):
            if path.endswith(end):
                place = self.places[path.removesuffix(end)]
                act: Callable[[Place, str], tuple[int, Any]]
                act = getattr(self, f"_{end.rpartition('/')[2]}")
                return act(place, path.removesuffix(end))
        if method == "PUT":
            return self._put_site(path, content)
        place_or_none = self.places.get(path)
        return _found(place_or_none and self._shown(path, place_or_none))

    def _put_site(self, path: str, content: dict[str, Any]) -> tuple[int, Any]:
        place = self.places.get(path)
        if place is None:
            place = self.places[path] = Place(f"principal-{len(self.places)}", 0)
            place.port = self.serve(_front_end(self, path))
        config = content["properties"]["siteConfig"]
        kept = [one for one in config["appSettings"] if one["name"] != self.forgets]
        config["appSettings"] = kept
        place.content = content
        self.run(place)
        return 200, self._shown(path, place)

    def _shown(self, path: str, place: Place) -> dict[str, Any]:
        properties = {"defaultHostName": f"localhost:{place.port}", "state": "Running"}
        identity = {"type": "SystemAssigned", "principalId": place.principal}
        location = place.content["location"]
        return {"id": path, "location": location, "identity": identity, "properties": properties}

    def _list(self, place: Place, _: str) -> tuple[int, Any]:
        return 200, {"properties": place.settings}

    def _web(self, place: Place, _: str) -> tuple[int, Any]:
        return 200, {"properties": {"linuxFxVersion": f"DOCKER|{place.image}"}}

    def _restart(self, place: Place, _: str) -> tuple[int, Any]:
        self.run(place)
        return 200, None

    def _slotsswap(self, place: Place, path: str) -> tuple[int, Any]:
        other = self.places[f"{path}/slots/staging"]
        place.content, other.content = other.content, place.content
        place.container, other.container = other.container, place.container
        return 200, None


def _found(content: object) -> tuple[int, Any]:
    if content is None:
        return 404, {"error": {"code": "ResourceNotFound", "message": "was not found"}}
    return 200, content


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _management(azure: Azure) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def _served(self) -> None:
            path = self.path.partition("?")[0].lower()
            if path.startswith(f"/{TENANT}"):
                self.reply(*_entra(azure.url, path, self.body().decode()))
                return
            azure.asked.append((self.command, path))
            body = self.body()
            if self.headers.get("Authorization") != f"Bearer {_TOKEN}":
                self.reply(401, b'{"error": {"code": "InvalidToken", "message": "no"}}')
                return
            status, content = azure.manage(self.command, path, json.loads(body or b"{}"))
            self.reply(status, b"" if content is None else json.dumps(content).encode())

        do_GET = do_PUT = do_POST = do_HEAD = _served  # noqa: N815 — the server's own names

    return Handler


def _entra(url: str, path: str, body: str) -> tuple[int, bytes]:
    if path.endswith("openid-configuration"):
        base = f"{url}/{TENANT}"
        about = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
        }
        return 200, json.dumps(about).encode()
    if PASSWORD not in body:
        refusal = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid secret."}
        return 401, json.dumps(refusal).encode()
    token = {"token_type": "Bearer", "expires_in": 3600, "access_token": _TOKEN}
    return 200, json.dumps(token).encode()


def _front_end(azure: Azure, path: str) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def _served(self) -> None:
            body = self.body()
            try:
                upstream = azure.upstream(azure.places[path])
                assert upstream
                kept = {"Content-Type", "Accept", "X-API-Key"}
                headers = {name: value for name, value in self.headers.items() if name in kept}
                answer = requests.request(
                    self.command, upstream + self.path, data=body, headers=headers, timeout=60
                )
            except (AssertionError, NotFound, requests.RequestException):
                self.reply(503, b"Service Unavailable", "text/html")
                return
            self.reply(answer.status_code, answer.content, answer.headers["Content-Type"])

        do_GET = do_POST = _served  # noqa: N815 — the server's own names

    return Handler


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run a container registry on loopback and yield its host and port."""
    port = free_port()
    file = folder / "registry.yml"
    file.write_text(_REGISTRY_FILE.format(folder=folder / "registry", port=port), encoding="ascii")
    with (folder / "registry.log").open("wb") as log:
        command = ["docker-registry", "serve", str(file)]
        with running(command, stdout=log, stderr=log) as process:
            wait_until_it_answers(f"http://127.0.0.1:{port}/v2/", process)
            try:
                yield f"127.0.0.1:{port}"
            finally:
                _forget(f"127.0.0.1:{port}/")


def _forget(prefix: str) -> None:
    """Remove the engine's references to a registry; the images keep their other names."""
    client = docker.from_env()
    for image in client.images.list():
        for digest in image.attrs.get("RepoDigests") or []:
            if digest.startswith(prefix):
                client.images.remove(digest)


@contextmanager
def azure(folder: Path, host: str) -> Iterator[Azure]:
    """Yield an empty subscription whose registry is at `host`."""
    folder.mkdir(exist_ok=True)
    state = Azure(folder, host)
    state.start()
    try:
        yield state
    finally:
        state.stop()
