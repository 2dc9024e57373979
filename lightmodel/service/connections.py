"""HTTP connections on an event loop: uvicorn's, with deadlines and limits for what clients may hold."""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import httptools
import orjson
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from lightmodel.service.asgi import IS_SHORT
from lightmodel.service.json_requests import Headers, JsonRequests, JsonResponse
from lightmodel.service.transports import LingeringTransport, PipelineFlow

logger = logging.getLogger(__name__)

_MAX_HEAD_BYTES = 64 << 10
_LINGER_S = 10.0  # for which the rest of a request is dropped, so that its client gets the answer


@dataclass(frozen=True)
class ConnectionLimits:
    """What a client may hold: `head_s` to send a head, `write_s` to read, `connections` in all."""

    head_s: float
    write_s: float
    connections: int


class Connection(HttpToolsProtocol):
    """A connection that never waits for its client without a deadline.

    `close_if_overdue` has to be called about every second. A request whose answer was sent before it
    had arrived (413, say) is received and dropped for a while: closing at once would reset the
    connection, and the client would never see the answer.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        limits: ConnectionLimits,
        direct: JsonRequests,
        peers: "set[Connection]",
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(config, state, {})
        self._limits = limits
        self._direct = direct
        self._direct_headers: Headers | None = None  # of a request that may be answered directly
        self._running: RequestResponseCycle | None = None
        self._peers = peers  # all connections of this worker
        self._on_end = on_end
        self._is_in_head = self._is_upgrade = self._is_too_long = False
        self._is_lingering = self._is_stopping = False
        self._is_received = True
        self._head_bytes = 0
        self._unparsed_bytes = 0  # since the parser last found something whole
        self._deadline = math.inf  # for what the client has to send
        self._blocked_since: float | None = None  # by a client that does not read
        self._last_data_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a head; at the limit, the client that has been quiet for longest is closed."""
        super().connection_made(LingeringTransport(transport, self))
        self.flow = PipelineFlow(self.transport, self.pipeline)
        self._last_data_at = self.loop.time()
        self._deadline = self._last_data_at + self._limits.head_s
        self._peers.add(self)
        if len(self._peers) > self._limits.connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release what the connection held."""
        super().connection_lost(exc)
        self._peers.discard(self)
        self._on_end()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; refuse what is not HTTP, and a head that is too long."""
        if self._is_lingering:
            return
        self._unset_keepalive_if_required()
        self._last_data_at = self.loop.time()
        if self._deadline == math.inf and not self._is_answering:
            self._deadline = self._last_data_at + self._limits.head_s
        self._unparsed_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            logger.exception("a connection is closed")  # a bug; the parser cannot go on
            self.transport.abort()
            return
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http_1(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, "this is not a valid HTTP request")
            return
        if self._is_too_long or self._unparsed_bytes > _MAX_HEAD_BYTES:
            most = f"{_MAX_HEAD_BYTES >> 10} KB"
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head has more than {most}"
            )

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio's
        """Keep the connection until the answer is sent, for a client that has only stopped sending."""
        is_waited_for = (
            self._is_answering and not self.cycle.more_body and self.scheme == "http"
        )  # TLS has no half-closed connections
        if is_waited_for:
            self.cycle.keep_alive = False
        return is_waited_for

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._is_in_head, self._is_received = True, False
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Keep the target of the request."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; those after a chunked body are dropped, for nobody has checked them."""
        if self._is_in_head:
            self._head_bytes += len(name) + len(value)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start to answer the request."""
        self._is_in_head, self._unparsed_bytes, self._deadline = False, 0, math.inf
        self._is_too_long = self._head_bytes > _MAX_HEAD_BYTES
        self._is_upgrade = self.parser.should_upgrade()
        if not self._is_upgrade and not self._is_too_long:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._unparsed_bytes = 0
        if not self._is_too_long:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request has arrived; answer it if that is possible without a task."""
        self._unparsed_bytes = 0
        if self._is_upgrade or self._is_too_long:
            return
        self._is_received = True
        super().on_message_complete()
        if self._direct_headers is not None:
            headers, self._direct_headers, self._deadline = self._direct_headers, None, math.inf
            response = self._direct.answer(self.scope, headers, bytes(self.cycle.body))
            if response is not None:
                self._send(response)
                return
            self.scope["state"][IS_SHORT] = True
            super()._start_asgi_task(self.cycle, self.app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start to answer a request whose head has arrived; small JSON waits for its body."""
        if self._is_stopping:
            cycle.keep_alive = False
        headers = dict(cycle.scope["headers"])
        is_plain = not cycle.waiting_for_100_continue and cycle is self.cycle and cycle.more_body
        self._running = cycle
        if is_plain and not self.flow.write_paused and self._direct.accepts(cycle.scope, headers):
            self._direct_headers = headers
            self._deadline = self.loop.time() + self._limits.head_s
        else:
            super()._start_asgi_task(cycle, app)

    def _send(self, response: JsonResponse) -> None:
        """Send a response at once, as `RequestResponseCycle.send` would."""
        cycle, headers = self.cycle, [*self.server_state.default_headers, *response.headers]
        if not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        lines = [b"%b: %b\r\n" % line for line in headers]
        self.transport.write(b"".join([STATUS_LINE[200], *lines, b"\r\n", response.body]))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        super().pause_writing()
        self._blocked_since = self.loop.time()

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        super().resume_writing()
        self._blocked_since = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return not self._is_answering and not self._is_lingering

    @property
    def quiet_since(self) -> tuple[bool, float] | None:
        """When the client last sent something, if it has to send more; first whether we do not read it."""
        if self._is_answering and not self.cycle.more_body:
            return None
        return self.flow.read_paused, self._last_data_at

    @property
    def is_received(self) -> bool:
        """Whether the last request has arrived completely."""
        return self._is_received

    def stop(self) -> None:
        """Close the connection after the request under way, or after the next one."""
        self._is_stopping = True
        if self._is_answering:
            self.cycle.keep_alive = False

    def limit_closing(self) -> None:
        """Limit how long the client takes to read what is not sent yet."""
        self._deadline = self.loop.time() + self._limits.write_s

    def linger(self) -> None:
        """Drop everything that arrives from now on."""
        self._is_lingering, self._deadline = True, self.loop.time() + _LINGER_S
        self.flow.resume_reading()

    def close_if_overdue(self, now: float) -> None:
        """Close the connection if its client has not sent or read for too long."""
        is_late = now > self._deadline
        is_blocked = (
            self._blocked_since is not None and now - self._blocked_since > self._limits.write_s
        )
        if is_late and self._direct_headers is not None:
            self._direct_headers = None
            seconds = f"{self._limits.head_s:g} s"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"no data arrived for {seconds}")
        elif is_late or is_blocked:
            self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        """Whether a request is under way."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _make_room(self) -> None:
        quiet = [(one.quiet_since, id(one), one) for one in self._peers if one.quiet_since]
        min(quiet)[2].transport.abort()  # there is at least this one

    def _stay_with_http_1(self, rest: bytes) -> None:
        """Read the request again as if it asked for no upgrade, such as Java's client does (h2c).

        The parser would read no body of it; a server may ignore the wish (RFC 9110, 7.8).
        """
        if self.parser.get_method() == b"CONNECT":
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this is no proxy")
            return
        start = b"%b %b HTTP/1.1\r\n" % (self.parser.get_method(), self.url)
        lines = [b"%b: %b\r\n" % line for line in self.headers if line[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join([start, *lines, b"\r\n", rest]))

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer what is no valid request, after the requests before it, and close."""
        if self.pipeline and self.cycle.more_body:  # the body of the last one is broken
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._running or self.cycle
        if self._is_answering and not self.cycle.more_body:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if self._is_answering:  # its body is broken
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = orjson.dumps({"title": status.phrase, "status": status, "detail": detail})
        head = (
            b"content-type: application/problem+json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(body)
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self._is_received = False
        self.transport.close()
