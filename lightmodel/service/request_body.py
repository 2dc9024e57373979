"""Read the body of a request as a stream, in bounded memory and time, multipart or not."""

import time
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from flask import Request, g
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
from lightmodel.tables.file_forms import Form
from lightmodel.tables.media_types import FORM_FIELDS, FORM_FILES, PLAIN, form_of, known_types

_ENCODINGS = {"", "identity", "gzip", "x-gzip"}  # gzip is detected, whatever the header says
_READ_BYTES = 256 << 10
_MAX_PARTS = 100


class RequestBody:
    """The body of a request, which can be read once."""

    def __init__(self, incoming: Request, limits: ServeSection) -> None:
        self.bytes = 0
        self.receive_s = 0.0
        self.charset = incoming.mimetype_params.get("charset", "")
        self._request = incoming
        self._max_bytes = limits.max_body_mb << 20
        self._deadline = time.monotonic() + limits.request_timeout_s
        self._limits = limits
        self._stream: BinaryIO = incoming.environ["wsgi.input"]
        self._has_lines = False
        self._first = b""  # byte but for blanks; a list of JSON needs no lines
        g.request_body = self

    @property
    def lost_line_ends(self) -> bool:
        """Whether the body came as from `curl -d @file`, which removes the ends of lines."""
        if self._has_lines or self._first in {b"", b"["}:
            return False
        kind = self._request.mimetype
        return kind in {FORM_FIELDS, PLAIN} or form_of(kind) in {"csv", "json_lines"}

    @property
    def form(self) -> Form | None:
        """The format that the Content-Type names; None if it has to be detected.

        Raises:
            UnsupportedMediaType: the Content-Type is not supported.
        """
        encoding = self._request.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            raise UnsupportedMediaType(
                f"the Content-Encoding {encoding[:40]!r} is not read; gzip is"
            )
        try:
            return form_of(self._request.mimetype)
        except KeyError:
            raise UnsupportedMediaType(f"the Content-Type must be one of {known_types()}") from None

    def pieces(self) -> Iterator[bytes]:
        """Return the chunks of the body or, of a form, of the field `file`; this sets `charset`.

        Raises:
            RequestEntityTooLarge: the body is larger than serve.max_body_mb.
            RequestTimeout: it takes too long.
            BadRequest: it is shorter than its Content-Length, or not a valid form.
        """
        announced = self._request.content_length
        if announced is not None and announced > self._max_bytes:
            raise self._too_large()
        if self._request.mimetype == FORM_FILES:
            return self._file()
        return self._body()

    def _body(self) -> Iterator[bytes]:
        while piece := self._receive():
            if self.bytes > self._max_bytes:
                raise self._too_large()
            if time.monotonic() > self._deadline:
                raise RequestTimeout(
                    f"the body took more than {self._limits.request_timeout_s:g} s"
                )
            yield piece
        announced = self._request.content_length
        if announced is not None and self.bytes < announced:
            raise BadRequest("the body is shorter than its Content-Length")

    def _receive(self) -> bytes:
        started = time.perf_counter()
        try:
            piece = self._stream.read(_READ_BYTES)
        except TimeoutError:
            raise RequestTimeout(f"no data arrived for {self._limits.read_timeout_s:g} s") from None
        except OSError:
            raise BadRequest("the connection was lost before the body ended") from None
        self._has_lines |= b"\n" in piece
        self._first = self._first or piece.lstrip()[:1]
        self.bytes += len(piece)
        self.receive_s += time.perf_counter() - started
        return piece

    def _file(self) -> Iterator[bytes]:
        """Return the data of the form's first field `file`; other fields are ignored."""
        boundary = self._request.mimetype_params.get("boundary", "").encode()
        if not boundary:
            raise BadRequest("the form's Content-Type has no boundary")
        decoder = MultipartDecoder(boundary, 2 * _READ_BYTES, max_parts=_MAX_PARTS)
        pieces, names = self._body(), list[str]()
        for event in _events(decoder, pieces):
            if not isinstance(event, File | Field):
                continue
            names.append(event.name or "")
            if event.name == "file":
                _, options = parse_options_header(event.headers.get("Content-Type", ""))
                self.charset = options.get("charset", "")
                # The decoder would copy the rest three times, so it is read without.
                return _part_data(chain([_buffered_data(decoder)], pieces), boundary)
        present = ", ".join(repr(name[:40]) for name in names if name) or "none"
        raise DataError(
            f"the form has no field `file`; its fields: {present}",
            hint="curl -F file=@rows.csv …/predict; in Postman the key is `file`, of type File",
        )

    def _too_large(self) -> RequestEntityTooLarge:
        return RequestEntityTooLarge(
            f"the body has more than {self._limits.max_body_mb:,} MB (serve.max_body_mb)"
        )


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


def _buffered_data(decoder: MultipartDecoder) -> bytes:
    """Return the part's data in the decoder's buffer, without the line end of its header."""
    buffered = bytes(decoder.buffer)
    return buffered[2:] if buffered.startswith(b"\r\n") else buffered[1:]


def _part_data(pieces: Iterator[bytes], boundary: bytes) -> Iterator[bytes]:
    """Yield a part's data up to the boundary, and read past everything after it but another file.

    Raises:
        BadRequest: there is a second file, or the form does not end.
    """
    mark, rest = b"\n--" + boundary, b""
    for piece in pieces:
        text = rest + piece
        at = text.find(mark)
        if at >= 0:
            yield text[:at].removesuffix(b"\r")
            _refuse_second_file(chain([text[at:]], pieces), boundary)
            return
        complete = max(0, len(text) - len(mark))  # the mark may begin after it
        yield text[:complete]
        rest = text[complete:]
    raise BadRequest("the form is damaged or cut short")


def _refuse_second_file(rest: Iterator[bytes], boundary: bytes) -> None:
    decoder = MultipartDecoder(boundary, 2 * _READ_BYTES, max_parts=_MAX_PARTS)
    for event in _events(decoder, rest):
        if isinstance(event, File) or (isinstance(event, Field) and event.name == "file"):
            raise BadRequest("the form holds more than one file: send each in a request of its own")
