"""Asking over HTTP, and saying in our own errors what can go wrong there."""

import contextlib
import email.utils
import re
import time
from collections.abc import Iterator, Mapping

import requests
import urllib3

from lightmodel.config.redact import redacted
from lightmodel.errors import ConfigError, DataError, SourceUnavailable
from lightmodel.sources.cache import Partial, State
from lightmodel.sources.download import Answer, Transient
from lightmodel.sources.names import (
    best_name,
    name_from_disposition,
    name_from_url,
    safe_name,
    with_ending,
)

CHUNK_BYTES = 1 << 16
_RETRIED = frozenset({408, 425, 429})
_NONSENSE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    UnicodeError,
)
_HEADERS = {
    "User-Agent": "light-model",
    "Accept-Encoding": "identity",  # offsets and lengths must count the file's own bytes
    "Accept-Language": "en",  # some pages are recognised by their text
}


@contextlib.contextmanager
def new_session() -> Iterator[requests.Session]:
    """Open a session; proxies and certificates come from where `requests` always takes them."""
    with requests.Session() as session:
        session.headers.update(_HEADERS)
        yield session


@contextlib.contextmanager
def asked(
    session: requests.Session, url: str, timeout_s: float, headers: dict[str, str]
) -> Iterator[requests.Response]:
    """Send a GET, give the answer with its body unread, and close it afterwards."""
    with faults(url, timeout_s):
        response = session.get(url, headers=headers, stream=True, timeout=timeout_s)
    with response:
        yield response


@contextlib.contextmanager
def faults(url: str, timeout_s: float) -> Iterator[None]:
    """Translate what `requests` raises.

    Raises:
        Transient: worth another try.
        SourceUnavailable: the certificate does not hold.
        ConfigError: the address makes no sense.
    """
    try:
        yield
    except _NONSENSE as error:
        raise ConfigError(
            f"{redacted(url)}: this address makes no sense",
            hint="look at data.source and data.mirrors",
        ) from error
    except requests.TooManyRedirects as error:
        raise DataError(
            f"{redacted(url)}: the address only leads to other addresses",
            hint="open it in a private browser window: does the site want cookies or a login?",
        ) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SourceUnavailable(
                f"{redacted(url)}: the server's certificate is not trusted",
                hint="behind a company proxy, let REQUESTS_CA_BUNDLE name a file with its certificate",
            ) from error
        raise Transient(_reason(error, timeout_s)) from error


def _reason(error: Exception, timeout_s: float) -> str:
    # Only the kind is told: the text of these errors holds the whole address, with its secrets.
    text = str(error)
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return f"no byte came for {timeout_s:g} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy did not let the connection through"
    if "NameResolution" in text or "getaddrinfo" in text:
        return "the host's name cannot be resolved"
    if "refused" in text.lower():
        return "the connection was refused"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "IncompleteRead" in text:
        return "the connection was cut in the middle of the answer"
    return f"the connection failed ({type(error).__name__})"


def check_status(response: requests.Response, uri: str) -> None:
    """Raise what a status other than "here is the file" means for `uri`, which holds no secrets."""
    status = response.status_code
    if status in _RETRIED or status >= 500:
        raise Transient(f"the server answered {status}", wait_s=_asked_wait_s(response))
    if status in {401, 403}:
        raise DataError(
            f"{uri}: the server refuses access ({status})",
            hint="is the file shared with anyone who has the link, or has a signed link expired?",
        )
    if status in {404, 410}:
        raise DataError(
            f"{uri}: there is no such file ({status})",
            hint="check the address letter by letter, and that the file has not been moved or deleted",
        )
    if status not in {200, 203}:
        raise DataError(
            f"{uri}: the server answered {status} and not with a file",
            hint="open the address in a private browser window: it must offer the file itself",
        )


def _asked_wait_s(response: requests.Response) -> float:
    asked_for = response.headers.get("Retry-After", "")
    if asked_for.isascii() and asked_for.isdigit():
        return float(asked_for)
    when = email.utils.parsedate_tz(asked_for)
    return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else 0.0


def condition_headers(known: State | None) -> dict[str, str]:
    """Give the headers that ask for the file only if it is no longer as `known`."""
    if known is None:
        return {}
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    return {name: value for name, value in headers.items() if value}


def range_headers(partial: Partial | None) -> dict[str, str]:
    """Give the headers that ask for the rest of a file, if it is still the one that was begun.

    Without a strong validator a server cannot promise that, and the whole file is asked for.
    """
    if partial is None:
        return {}
    strong = partial.state.etag if partial.state.etag.startswith('"') else ""
    validator = strong or partial.state.modified
    if not validator:
        return {}
    return {"Range": f"bytes={_offset(partial)}-", "If-Range": validator}


def _offset(partial: Partial) -> int:
    # a file that is complete but was never published: one byte more shows that it still is the same
    size = partial.state.size
    return partial.size if size is None else min(partial.size, size - 1)


def goes_on(response: requests.Response, partial: Partial | None) -> bool:
    """Say whether an answer is the rest of what was begun, and not another file or the whole one."""
    span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    if partial is None or response.status_code != 206 or span is None or is_encoded(response):
        return False
    state, (first, last, total) = partial.state, (int(number) for number in span.groups())
    return (
        (first, last, total) == (_offset(partial), total - 1, state.size)
        and response.headers.get("ETag", state.etag) == state.etag
        and response.headers.get("Last-Modified", state.modified) == state.modified
    )


def is_encoded(response: requests.Response) -> bool:
    """Say whether the bytes on the wire are not the file's own."""
    return response.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}


def state_of(response: requests.Response, url: str) -> State:
    """Read from the headers of a whole answer what the server says about the file at `url`."""
    headers = response.headers
    name = best_name(
        name_from_disposition(headers.get("Content-Disposition", "")),
        name_from_url(url),
        name_from_url(response.url),
    )
    name = safe_name(with_ending(name, headers.get("Content-Type", "")))
    if is_encoded(response):
        # requests unpacks it on the way: what arrives is neither as long nor as packed as announced
        return State(
            name.removesuffix(".gz"), None, _etag(headers), headers.get("Last-Modified", "")
        )
    length = headers.get("Content-Length", "")
    size = int(length) if length.isascii() and length.isdigit() else None
    return State(name, size, _etag(headers), headers.get("Last-Modified", ""))


def _etag(headers: Mapping[str, str]) -> str:
    # Google sends no ETag with a Drive file, but a checksum
    return headers.get("ETag") or headers.get("x-goog-hash") or ""


def body(response: requests.Response, url: str, timeout_s: float) -> Iterator[bytes]:
    """Give the bytes of an answer as they come."""
    with faults(url, timeout_s):
        yield from response.iter_content(CHUNK_BYTES)


def answer_from(
    response: requests.Response, url: str, timeout_s: float, known: State | None
) -> Answer:
    """Turn an answer that sends the whole file into ours, its body unread."""
    state = state_of(response, url)
    if known is not None and state.is_same_as(known):
        return Answer(known, unchanged=True)
    end_is_marked = state.size is not None or "Transfer-Encoding" in response.headers
    return Answer(state, body(response, url, timeout_s), end_is_marked=end_is_marked)


def answer_going_on(
    response: requests.Response, url: str, timeout_s: float, partial: Partial
) -> Answer:
    """Turn an answer for which `goes_on` holds into ours."""
    return Answer(partial.state, body(response, url, timeout_s), start=_offset(partial))
