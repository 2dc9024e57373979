"""What a connection reads from and writes to, so that no request is lost and no answer cut off."""

import asyncio
from collections.abc import Sized
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl


class LingeringConnection(Protocol):
    """A connection that can drop the rest of a request before it is closed."""

    @property
    def is_received(self) -> bool:
        """Whether the last request has arrived completely."""

    def limit_closing(self) -> None:
        """Limit how long the client takes to read what is not sent yet."""

    def linger(self) -> None:
        """Drop everything that arrives from now on."""


class PipelineFlow(FlowControl):
    """Reads no further requests while some wait for their turn: uvicorn's own resumes for each answer."""

    def __init__(self, transport: asyncio.Transport, pipeline: Sized) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Resume reading, unless requests wait."""
        if not self._pipeline:
            super().resume_reading()


class LingeringTransport(asyncio.Transport):
    """A transport that is closed only when the request has arrived."""

    def __init__(self, transport: asyncio.Transport, connection: LingeringConnection) -> None:
        self._transport = transport
        self._connection = connection
        self.write = transport.write  # type: ignore[method-assign]  # one call less for each answer
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.abort = transport.abort  # type: ignore[method-assign]
        self._is_closing = False

    def is_closing(self) -> bool:
        """Return whether nothing more will be sent."""
        return self._is_closing or self._transport.is_closing()

    def close(self) -> None:
        """Close the connection, or only its sending side while the client still sends."""
        if self._connection.is_received or self._is_closing or self._transport.is_closing():
            self._connection.limit_closing()
            self._transport.close()
            return
        self._is_closing = True
        self._connection.linger()
        if self._transport.can_write_eof():  # TLS cannot
            self._transport.write_eof()
