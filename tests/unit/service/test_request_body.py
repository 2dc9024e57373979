"""A body is read completely and within its limits, in chunks of any size."""

import io
from contextlib import suppress

import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest, HTTPException

from lightmodel.config import ServeSection
from lightmodel.errors import DataError
from lightmodel.service.request_body import RequestBody

FORM = "multipart/form-data; boundary=xyz"
APP = Flask(__name__)


class Slices(io.RawIOBase):
    """A stream that returns a few bytes at a time, like a slow connection."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__()
        self._content = io.BytesIO(content)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._content.read(min(size, self._size) if size >= 0 else self._size)


def received(
    content: bytes,
    kind: str = "text/csv",
    size: int = 1 << 20,
    **limits: int,
) -> bytes:
    environ = {
        "wsgi.input": Slices(content, size),
        "CONTENT_LENGTH": str(len(content)),
        "CONTENT_TYPE": kind,
    }
    with APP.test_request_context(method="POST", environ_overrides=environ):
        return b"".join(RequestBody(request, ServeSection.model_validate(limits)).pieces())


def form(file: bytes, *, before: bytes = b"", newline: bytes = b"\r\n") -> bytes:
    """Return a form with a field `file`, one field after it, and `before` in front."""
    head = b'--xyz\nContent-Disposition: form-data; name="file"; filename="rows.csv"\n\n'
    tail = b'\n--xyz\nContent-Disposition: form-data; name="after"\n\nx\n--xyz--\n'
    return before + head.replace(b"\n", newline) + file + tail.replace(b"\n", newline)


OTHER = b'--xyz\r\nContent-Disposition: form-data; name="other"\r\n\r\nignored\r\n'
BYTES = st.binary(max_size=60).map(lambda content: content.replace(b"\n--xyz", b""))


@given(content=BYTES, size=st.integers(1, 80))
def test_a_raw_body_arrives_as_it_was_sent(content: bytes, size: int) -> None:
    assert received(content, size=size) == content


@given(content=BYTES, size=st.integers(1, 80), before=st.sampled_from([b"", OTHER, OTHER * 3]))
def test_a_forms_file_arrives_as_it_was_sent(content: bytes, size: int, before: bytes) -> None:
    assert received(form(content, before=before), FORM, size) == content


@given(content=st.binary(max_size=200), size=st.integers(1, 80))
def test_arbitrary_bytes_as_a_form_are_read_or_refused(content: bytes, size: int) -> None:
    data = b""
    with suppress(BadRequest, DataError):
        data = received(b"--xyz\r\n" + content, FORM, size)
    assert data in content


def test_the_error_for_a_form_without_the_field_names_its_fields() -> None:
    with pytest.raises(DataError, match="its fields: 'other'"):
        received(OTHER + b"--xyz--\r\n", FORM)


SECOND = (
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="%s"; filename="b.csv"\r\n\r\nc,d\r\n--xyz--\r\n'
)


@pytest.mark.parametrize("name", [b"file", b"other"])
@given(size=st.integers(1, 200))
def test_a_second_file_is_refused(name: bytes, size: int) -> None:
    with pytest.raises(BadRequest, match="more than one file"):
        received(SECOND % name, FORM, size)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_needs_a_boundary(kind: str) -> None:
    with pytest.raises(HTTPException, match="has no boundary"):
        received(b"x", kind)


def test_a_body_beyond_its_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(HTTPException, match="more than 1 MB") as refused:
        received(b"x" * ((1 << 20) + 1), max_body_mb=1)
    assert refused.value.code == 413


def test_a_body_that_ends_early_is_refused() -> None:
    environ = {"wsgi.input": io.BytesIO(b"half"), "CONTENT_LENGTH": "8"}
    with APP.test_request_context(method="POST", environ_overrides=environ):
        body = RequestBody(request, ServeSection())
        with pytest.raises(HTTPException, match="shorter than its Content-Length"):
            b"".join(body.pieces())
