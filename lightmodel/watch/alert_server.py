"""The HTTP receiver of Alertmanager's webhook: POST /alerts, and GET /health and /metrics."""

import hmac
import json
import logging
import re
import socket
import sys
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from lightmodel.errors import ConfigError, DataError, LightModelError
from lightmodel.watch.alerts import AlertRelay, parse_alerts

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20
_READ_TIMEOUT_S = 10.0
_JSON = "application/json"
_LENGTH = re.compile(r"[0-9]{1,18}")
_ROUTES = {"/alerts": "POST", "/health": "GET", "/metrics": "GET"}


class AlertServer(ThreadingHTTPServer):
    """Listens for alerts in threads of its own until it is closed."""

    daemon_threads = True

    def __init__(self, host: str, port: int, relay: AlertRelay, token: str) -> None:
        """Bind the address; with a `token`, alerts are only accepted with it.

        Raises:
            ConfigError: the address cannot be bound.
        """
        self.relay, self.token = relay, token
        self.registry = CollectorRegistry()
        self.registry.register(_RelayCollector(relay))
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"{host}:{port} cannot be listened on: {error.strerror or error}",
                hint="name another address by --host and --port, or stop what uses this one",
            ) from error

    def start(self) -> None:
        """Answer requests in the background."""
        Thread(target=self.serve_forever, name="alerts", daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log in one line that a client has broken off, or that answering failed."""
        del request, client_address
        error = sys.exception()
        is_broken_off = isinstance(error, ConnectionError)
        logger.warning("a request was not answered: %r", error, exc_info=not is_broken_off)

    def close(self) -> None:
        """Accept no more requests."""
        self.shutdown()
        self.server_close()


class _RelayCollector(Collector):
    def __init__(self, relay: AlertRelay) -> None:
        self._relay = relay

    def collect(self) -> Iterable[Metric]:
        """Yield what waits, and the alerts so far."""
        text = "Notifications that no receiver has accepted yet"
        yield GaugeMetricFamily("lightmodel_notifications_waiting", text, self._relay.waiting)
        received = CounterMetricFamily(
            "lightmodel_alerts", "Alerts received; known ones are repeated", labels=["what"]
        )
        for what, number in self._relay.counts.items():
            received.add_metric([what], number)
        yield received


class _RefusedError(Exception):
    """A request is answered with this status and reason."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class _Handler(BaseHTTPRequestHandler):
    server: AlertServer
    timeout = _READ_TIMEOUT_S  # of each read; then the connection is closed
    server_version, sys_version = "light-model", ""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            self._check_route()
            self._answer_to(self.path)
        except _RefusedError as refused:
            self._refuse(refused)

    def _check_route(self) -> None:
        if self.path not in _ROUTES:
            raise _RefusedError(HTTPStatus.NOT_FOUND, f"there is {', '.join(_ROUTES)}")
        if self.command != _ROUTES[self.path]:
            reason = f"{self.path} takes {_ROUTES[self.path]}"
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, reason)

    def _answer_to(self, path: str) -> None:
        if path == "/alerts":
            body = self._body()  # read first: a connection with unread bytes would be reset
            self._check_token()
            self._receive(body)
            self._send(HTTPStatus.OK, b"{}")
        elif path == "/health":
            self._send(HTTPStatus.OK, b'{"status":"ok"}')
        else:
            self._send(HTTPStatus.OK, generate_latest(self.server.registry), CONTENT_TYPE_LATEST)

    def _receive(self, body: bytes) -> None:
        """Hand the alerts over; Alertmanager repeats what is answered with 503, but not with 400."""
        try:
            self.server.relay.receive(parse_alerts(body))
        except DataError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, error.message) from None
        except LightModelError as error:
            logger.error("an alert cannot be kept: %s: %s", error.message, error.hint)
            reason = "the alert cannot be kept; the log of the receiver says why"
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, reason) from None

    def _check_token(self) -> None:
        wanted = f"Bearer {self.server.token}".encode()
        sent = self.headers.get("Authorization", "").encode()
        if self.server.token and not hmac.compare_digest(wanted, sent):
            reason = "the token is missing or wrong: Authorization: Bearer"
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, reason)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not _LENGTH.fullmatch(length):
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
        if int(length) > MAX_BODY_BYTES:
            reason = f"at most {MAX_BODY_BYTES:,} bytes are accepted"
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        try:
            body = self.rfile.read(int(length))
        except TimeoutError:
            raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive") from None
        if len(body) < int(length):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is shorter than its length")
        return body

    def _refuse(self, refused: _RefusedError) -> None:
        logger.warning("%s %s: %s", self.command, refused.status.value, refused.reason)
        body = {"title": refused.status.phrase, "status": refused.status, "detail": refused.reason}
        self._send(refused.status, json.dumps(body).encode(), "application/problem+json")

    def _send(self, status: HTTPStatus, body: bytes, content_type: str = _JSON) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: alerts and refusals are logged where they are understood."""
