"""Accepts connections, as many as the other workers have, and closes those that wait for too long."""

import asyncio
import email.utils
import logging
import resource
import socket
import ssl
import struct
from collections.abc import Sequence

from uvicorn.config import Config
from uvicorn.server import ServerState

from lightmodel.config import ServeSection
from lightmodel.service.asgi import EventLoopApp
from lightmodel.service.connection_counts import ConnectionCounts
from lightmodel.service.connections import Connection, ConnectionLimits
from lightmodel.service.json_requests import JsonRequests

logger = logging.getLogger(__name__)

_TCP_INFO = struct.Struct("=24xI")  # tcpi_unacked: of a listener, the connections in its queue

_YIELD_S = 0.05  # for which a worker with fewer connections may accept first
_YIELD_STEP_S = 0.002
_MOST_AT_ONCE = 64  # connections; accepting so many takes some milliseconds
_EXHAUSTED_S = 0.2  # to wait when the process has no file descriptor left
_CLOSING_S = 1.0  # for which a stopping worker still answers what arrives on open connections
_MAX_CONNECTIONS = 1000  # of a worker


class HttpServer:
    """The HTTP side of one worker."""

    def __init__(
        self,
        app: EventLoopApp,
        direct: JsonRequests,
        serve: ServeSection,
        counts: ConnectionCounts,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._direct = direct
        self._counts = counts
        self._tls = tls
        self._state = ServerState()
        self._connections: set[Connection] = set()
        self._limits = ConnectionLimits(
            serve.read_timeout_s, serve.read_timeout_s, _most_connections()
        )
        self._config = Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=serve.keepalive_s,
        )
        self._config.load()
        self._listeners: Sequence[socket.socket] = ()
        self._connecting: set[asyncio.Task[object]] = set()
        self._closing_at = 0.0
        self._stuck_at: int | None = (
            None  # the fewest connections of another worker, when it did not move
        )

    @property
    def requests(self) -> int:
        """The number of answered requests."""
        return self._state.total_requests

    @property
    def is_busy(self) -> bool:
        """Whether there are connections left."""
        return bool(self._connections or self._connecting)

    def start(self, listeners: Sequence[socket.socket]) -> None:
        """Begin to accept connections."""
        self._listeners = listeners
        self.tick()
        for listener in listeners:
            listener.setblocking(False)
            self._loop.add_reader(listener.fileno(), self._offer, listener)

    def tick(self) -> None:
        """Close overdue connections; to be called about every second."""
        date = email.utils.formatdate(usegmt=True).encode()
        self._state.default_headers = [(b"date", date)]
        now = self._loop.time()
        is_closing = self._closing_at and now > self._closing_at
        for connection in tuple(self._connections):
            if is_closing and connection.is_idle:
                connection.transport.close()
            else:
                connection.close_if_overdue(now)
        if is_closing:
            for handshake in self._connecting:
                handshake.cancel()

    def stop(self, *, accept_waiting: bool) -> None:
        """Let go of the port, and close connections when they are idle.

        Args:
            accept_waiting: whether nobody else will accept the connections that are waiting.
        """
        self._closing_at = self._loop.time() + _CLOSING_S
        self._counts.leave()
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            while accept_waiting and self._accept(listener):
                pass
            listener.close()
        for connection in self._connections:
            connection.stop()

    def _offer(self, listener: socket.socket) -> None:
        """Accept this worker's share of the connections that wait; the others take theirs."""
        others = self._counts.fewest_of_others()
        if others != self._stuck_at:
            self._stuck_at = None
        share = min(self._counts.fair_share(_waiting(listener)), _MOST_AT_ONCE)
        if share or self._stuck_at is not None:
            for _ in range(max(1, share)):
                self._accept(listener)
        else:
            self._loop.remove_reader(listener.fileno())
            self._yield(listener, self._loop.time() + _YIELD_S, others)

    def _yield(self, listener: socket.socket, until: float, fewest: int) -> None:
        """Wait while the others accept; one that does not move is not waited for until it does."""
        now, others = self._loop.time(), self._counts.fewest_of_others()
        has_enough = not self._counts.fair_share(_waiting(listener))
        if has_enough and (now < until or others != fewest):
            until = until if others == fewest else now + _YIELD_S
            self._loop.call_later(_YIELD_STEP_S, self._yield, listener, until, others)
        else:
            self._stuck_at = others if has_enough else None
            self._resume(listener)

    def _resume(self, listener: socket.socket) -> None:
        if not self._closing_at:
            self._loop.add_reader(listener.fileno(), self._offer, listener)

    def _accept(self, listener: socket.socket) -> bool:
        """Accept a waiting connection; return whether there was one."""
        try:
            client, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            logger.warning("no connection can be accepted: %s", error.strerror)
            if not self._closing_at:
                self._loop.remove_reader(listener.fileno())
                self._loop.call_later(_EXHAUSTED_S, self._resume, listener)
            return False
        if (
            len(self._connecting) >= self._limits.connections
        ):  # of clients that begin TLS, and no more
            client.close()
            return True
        client.setblocking(False)
        self._counts.add(1)
        task = self._loop.create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return True

    async def _connect(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._connection,
                client,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.head_s if self._tls else None,
            )
        except (OSError, asyncio.CancelledError):  # no TLS client, gone, or too late
            self._counts.add(-1)
            client.close()

    def _connection(self) -> Connection:
        connection = Connection(
            self._config, self._state, self._limits, self._direct, self._connections, self._end
        )
        if self._closing_at:
            connection.stop()
        return connection

    def _end(self) -> None:
        self._counts.add(-1)


def _waiting(listener: socket.socket) -> int:
    """Return the number of connections that wait to be accepted, at least 1; only Linux tells it."""
    try:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except (AttributeError, OSError):  # another system, or a Unix socket
        return 1
    number: int = _TCP_INFO.unpack(info)[0]
    return max(1, number)


def _most_connections() -> int:
    """Return the number of connections for which there are file descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _MAX_CONNECTIONS
    if hard == resource.RLIM_INFINITY or soft < min(wanted, hard):
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(_MAX_CONNECTIONS, soft // 2)
