"""The body of a request as it arrives: in bounded memory and time, multipart or not."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, BinaryIO, cast

from flask import Flask, Request, Response, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Epilogue, Event, Field, File, MultipartDecoder, NeedData

from lightmodel.config import ServeSection
from lightmodel.errors import DataError
from lightmodel.tables.byte_stream import Form

_FORMS: dict[str, Form | None] = {
    "": None,
    "multipart/form-data": None,
    "application/x-www-form-urlencoded": None,  # what curl --data-binary says of any file
    "application/octet-stream": None,
    "application/gzip": None,
    "application/x-gzip": None,
    "application/vnd.apache.parquet": None,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": None,
    "text/csv": "csv",
    "text/plain": "csv",
    "application/json": "json",
    "application/x-ndjson": "json_lines",
    "application/jsonl": "json_lines",
}
_AT_ONCE = 256 << 10
_DRAINED = 64 << 20  # bytes read in vain so that an early answer reaches a client that still sends
_DRAINED_S = 10.0
_PARTS = 100


def init_app(app: Flask, limits: ServeSection) -> None:
    """Read what an error left of a body, so that the client sees the answer and not a reset."""

    @app.after_request
    def drain(response: Response) -> Response:
        if response.status_code >= BadRequest.code:
            body: RequestBody = g.get("request_body") or RequestBody(request, limits)
            body.drain()
        return response


class RequestBody:
    """A body that is read once."""

    def __init__(self, asked: Request, limits: ServeSection) -> None:
        self.bytes = 0
        self.seconds = 0.0
        self.charset = asked.mimetype_params.get("charset", "")
        self._request = asked
        self._most = limits.max_body_mb << 20
        self._ends = time.monotonic() + limits.request_timeout_s
        self._limits = limits
        self._stream = _unbuffered_stream(asked)
        self._connection: Any = asked.environ.get("gunicorn.socket")
        self._over = self._broken = False
        g.request_body = self
        self._set_timeout(limits.read_timeout_s)

    @property
    def form(self) -> Form | None:
        """What the Content-Type says of the body; None: to be detected.

        Raises:
            UnsupportedMediaType: it is none of the forms that a table may have.
        """
        try:
            return _FORMS[self._request.mimetype]
        except KeyError:
            raise UnsupportedMediaType(
                f"the Content-Type is none of {', '.join(sorted(filter(None, _FORMS)))}"
            ) from None

    def pieces(self) -> Iterator[bytes]:
        """Return the body, or of a form the file in the field `file`; `charset` is known then.

        Raises:
            RequestEntityTooLarge: it has more bytes than serve.max_body_mb.
            RequestTimeout: it takes too long.
            BadRequest: it ends before its announced end, or is no proper form.
        """
        announced = self._request.content_length
        if announced is not None and announced > self._most:
            raise self._too_large()
        if self._request.mimetype == "multipart/form-data":
            return self._file()
        return self._body()

    def _body(self) -> Iterator[bytes]:
        while piece := self._receive():
            if self.bytes > self._most:
                raise self._too_large()
            if time.monotonic() > self._ends:
                raise RequestTimeout(
                    f"the body took more than {self._limits.request_timeout_s:g} s"
                )
            yield piece
        announced = self._request.content_length
        if announced is not None and self.bytes < announced:
            raise BadRequest("the body ended before its announced end")

    def _receive(self) -> bytes:
        started = time.perf_counter()
        try:
            piece = self._stream.read(_AT_ONCE)
        except TimeoutError:
            self._over = self._broken = True
            raise RequestTimeout(f"no byte came for {self._limits.read_timeout_s:g} s") from None
        except (OSError, ParseException):
            self._over = self._broken = True
            raise BadRequest("the connection broke within the body") from None
        self._over = not piece
        self.bytes += len(piece)
        self.seconds += time.perf_counter() - started
        return piece

    def _file(self) -> Iterator[bytes]:
        """Return the data of the form's first field `file`; other fields are passed over."""
        boundary = self._request.mimetype_params.get("boundary", "").encode()
        if not boundary:
            raise BadRequest("the form's Content-Type names no boundary")
        decoder = MultipartDecoder(boundary, 2 * _AT_ONCE, max_parts=_PARTS)
        pieces, names = self._body(), list[str]()
        for event in _events(decoder, pieces):
            if not isinstance(event, File | Field):
                continue
            names.append(event.name or "")
            if event.name == "file":
                _, about = parse_options_header(event.headers.get("Content-Type", ""))
                self.charset = about.get("charset", "")
                # The rest needs no decoder, which copies all of it three times.
                return _part(chain([_behind_head(decoder)], pieces), boundary)
        present = ", ".join(repr(name[:40]) for name in names if name) or "none"
        raise DataError(
            f"the form has no field `file`; its fields: {present}",
            hint="curl -F file=@rows.csv …/predict; in Postman the key is `file`, of type File",
        )

    def drain(self) -> None:
        """Read on for a while, and throw away: unread bytes would reset the connection."""
        stop, left = time.monotonic() + _DRAINED_S, self._most + _DRAINED
        self._set_timeout(2.0)
        while not self._over and self.bytes < left and time.monotonic() < stop:
            try:
                self._receive()
            except (BadRequest, RequestTimeout):
                break
        if not self._over or self._broken:
            self._hang_up()

    def _too_large(self) -> RequestEntityTooLarge:
        return RequestEntityTooLarge(
            f"the body has more than {self._limits.max_body_mb:,} MB (serve.max_body_mb)"
        )

    def _hang_up(self) -> None:
        """Let gunicorn find an end where it would wait for the rest of the body."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RD)

    def _set_timeout(self, seconds: float) -> None:
        """Set the connection's timeout; gunicorn sets its own again before the next request."""
        if self._connection is not None:
            self._connection.settimeout(seconds)


def _unbuffered_stream(asked: Request) -> BinaryIO:
    """Return what gunicorn's body object reads from: that one reads by the kilobyte, ten times slower."""
    stream = asked.environ["wsgi.input"]
    inner = getattr(stream, "reader", None)
    unreader: Any = getattr(inner, "unreader", None)
    if hasattr(unreader, "mxchunk"):
        unreader.mxchunk = _AT_ONCE  # instead of 8 KB from the connection
    return cast("BinaryIO", inner if hasattr(inner, "read") else stream)


def _events(decoder: MultipartDecoder, pieces: Iterator[bytes]) -> Iterator[Event]:
    try:
        for piece in chain(pieces, [None]):
            decoder.receive_data(piece)
            while not isinstance(event := decoder.next_event(), NeedData):
                yield event
                if isinstance(event, Epilogue):
                    break
    except ValueError:
        raise BadRequest("the form is damaged or cut short") from None


def _behind_head(decoder: MultipartDecoder) -> bytes:
    """Return what the decoder has of a part's data; the end of its head is still before it."""
    buffered = bytes(decoder.buffer)
    return buffered[2:] if buffered.startswith(b"\r\n") else buffered[1:]


def _part(pieces: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """Yield what comes before the boundary's line, and pass over all that comes behind it."""
    mark, rest = b"\n--" + boundary, b""
    for piece in pieces:
        text = rest + piece
        at = text.find(mark)
        if at >= 0:
            yield text[:at].removesuffix(b"\r")
            for _ in pieces:
                pass
            return
        sure = max(0, len(text) - len(mark))
        yield text[:sure]
        rest = text[sure:]
    raise BadRequest("the form is damaged or cut short")
