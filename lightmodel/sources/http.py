"""Tables at https:// and http:// addresses, and the HTTP client of other sources."""

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from werkzeug.http import parse_options_header

from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, DataError, SourceUnavailable
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.cache import FALLBACK, FileState, PartialFile, safe_name
from lightmodel.sources.download import Answer, TransientFailure, download

CHUNK_BYTES = 1 << 16
_RETRIED_STATUS = frozenset({408, 425, 429})
_INVALID_ADDRESS = (
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
_SUFFIXES = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}


def fetch(uri: str, options: FetchOptions) -> FetchResult:
    """Download the file at `uri`; see `Source`."""
    return download(functools.partial(_open, uri, options.timeout_s), uri, options)


@contextlib.contextmanager
def _open(
    url: str, timeout_s: float, known: FileState | None, partial: PartialFile | None
) -> Iterator[Answer]:
    """Request the file, or its rest; see `Remote`."""
    conditions = _condition_headers(known)
    with WebClient(timeout_s) as client:
        response = client.get(url, conditions | range_headers(partial))
        if partial is not None and is_rest(response, partial):
            yield client.answer(response, url, partial)
            return
        if response.status_code in {206, 416}:
            # the partial download is of another state: request the whole file
            response.close()
            response = client.get(url, conditions)
        if known is not None and response.status_code == 304:
            yield Answer(known)
            return
        check_status(response, redacted(url))
        yield client.answer(response, url)


class WebClient(contextlib.ExitStack):
    """Sends GET requests, and closes all responses at the end.

    Proxies and certificates are configured as usual for `requests`.
    """

    def __init__(self, timeout_s: float) -> None:
        super().__init__()
        self.timeout_s = timeout_s
        self._session = self.enter_context(requests.Session())
        self._session.headers.update(_HEADERS)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Send a GET, and return the response with its body unread."""
        with _translate_http_errors(url, self.timeout_s):
            response = self._session.get(url, headers=headers, stream=True, timeout=self.timeout_s)
        return self.enter_context(response)

    def body(self, response: requests.Response, url: str) -> Iterator[bytes]:
        """Yield the bytes of a response as they come."""
        with _translate_http_errors(url, self.timeout_s):
            yield from response.iter_content(CHUNK_BYTES)

    def answer(
        self, response: requests.Response, url: str, partial: PartialFile | None = None
    ) -> Answer:
        """Return the answer in a response, its body unread: the file, or the rest of `partial`."""
        if partial is not None:
            return Answer(partial.state, self.body(response, url), start=_offset(partial))
        state = file_state(response, url)
        end_is_marked = state.size is not None or "Transfer-Encoding" in response.headers
        return Answer(state, self.body(response, url), end_is_marked=end_is_marked)


@contextlib.contextmanager
def _translate_http_errors(url: str, timeout_s: float) -> Iterator[None]:
    """Translate what `requests` raises.

    Raises:
        TransientFailure: a retry may help.
        SourceUnavailable: the server's certificate is not trusted.
        DataError: the address redirects endlessly.
        ConfigError: the address is invalid.
    """
    try:
        yield
    except _INVALID_ADDRESS as error:
        raise ConfigError(
            f"{redacted(url)}: the address is invalid",
            hint="check data.source and data.mirrors",
        ) from error
    except requests.TooManyRedirects as error:
        raise DataError(
            f"{redacted(url)}: the address redirects endlessly",
            hint="open it in a private browser window: does the site require cookies or a login?",
        ) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise SourceUnavailable(
                f"{redacted(url)}: the server's certificate is not trusted",
                hint="behind a company proxy, set REQUESTS_CA_BUNDLE to a file with its certificate",
            ) from error
        raise TransientFailure(_reason(error, timeout_s)) from error


def _reason(error: Exception, timeout_s: float) -> str:
    # Only the kind is named: the text of these errors contains the whole address, with secrets.
    text = str(error)
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return f"no data arrived for {timeout_s:g} s"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refused the connection"
    if "NameResolution" in text or "getaddrinfo" in text:
        return "the host name cannot be resolved"
    if "refused" in text.lower():
        return "the connection was refused"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "IncompleteRead" in text:
        return "the connection broke in the middle of the response"
    return f"the connection failed ({type(error).__name__})"


def check_status(response: requests.Response, uri: str) -> None:
    """Raise the error that a status without a file means; `uri` is without secrets."""
    status = response.status_code
    if status in _RETRIED_STATUS or status >= 500:
        raise TransientFailure(f"the server answered {status}", wait_s=_retry_after_s(response))
    if status in {401, 403}:
        raise DataError(
            f"{uri}: the server refuses access ({status})",
            hint="is the file shared with anyone who has the link, or has a signed link expired?",
        )
    if status in {404, 410}:
        raise DataError(
            f"{uri}: there is no such file ({status})",
            hint="check the spelling of the address, and that the file has not been moved or deleted",
        )
    if status not in {200, 203}:
        raise DataError(
            f"{uri}: the server answered {status} instead of sending a file",
            hint="open the address in a private browser window: it must offer the file itself",
        )


def _retry_after_s(response: requests.Response) -> float:
    """Return the seconds that the header Retry-After asks for, as a number or a date; 0 without one."""
    with contextlib.suppress(urllib3.exceptions.InvalidHeader, ValueError):
        return urllib3.Retry().get_retry_after(response.raw) or 0.0
    return 0.0


def _condition_headers(known: FileState | None) -> dict[str, str]:
    """Return the headers that request the file only if its state is no longer `known`."""
    if known is None:
        return {}
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    return {name: value for name, value in headers.items() if value}


def range_headers(partial: PartialFile | None) -> dict[str, str]:
    """Return the headers that request the rest of a partial download, if the file is unchanged.

    Without a strong validator a server cannot guarantee that, and the whole file is requested.
    """
    if partial is None:
        return {}
    strong = partial.state.etag if partial.state.etag.startswith('"') else ""
    validator = strong or partial.state.modified
    return {"Range": f"bytes={_offset(partial)}-", "If-Range": validator} if validator else {}


def _offset(partial: PartialFile) -> int:
    # if the download was complete but not published, its last byte shows that nothing changed
    size = partial.state.size
    return partial.size if size is None else min(partial.size, size - 1)


def is_rest(response: requests.Response, partial: PartialFile) -> bool:
    """Return whether a response is the rest of a partial download, not another or a whole file."""
    span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
    if response.status_code != 206 or span is None or _is_encoded(response):
        return False
    state, (first, last, total) = partial.state, (int(number) for number in span.groups())
    return (
        (first, last, total) == (_offset(partial), total - 1, state.size)
        and response.headers.get("ETag", state.etag) == state.etag
        and response.headers.get("Last-Modified", state.modified) == state.modified
    )


def _is_encoded(response: requests.Response) -> bool:
    """Return whether the bytes are compressed for the transfer."""
    return response.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}


def file_state(response: requests.Response, url: str) -> FileState:
    """Return the state of the file at `url` from the headers of a complete response."""
    headers = response.headers
    etag = headers.get("ETag") or headers.get("x-goog-hash") or ""  # Drive sends a checksum only
    modified, length = headers.get("Last-Modified", ""), headers.get("Content-Length", "")
    name = safe_name(_file_name(response, url))
    if _is_encoded(response):
        # requests decompresses it: what arrives has neither the announced length nor the .gz
        return FileState(name.removesuffix(".gz"), None, etag, modified)
    size = int(length) if length.isascii() and length.isdigit() else None
    return FileState(name, size, etag, modified)


def _file_name(response: requests.Response, url: str) -> str:
    """Return the first name with a suffix, else the first name with the media type's suffix."""
    disposition = name_from_disposition(response.headers.get("Content-Disposition", ""))
    names = [name for name in (disposition, _url_name(url), _url_name(response.url)) if name]
    for name in names:
        if PurePosixPath(name).suffix:
            return name
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return (names[0] if names else FALLBACK) + _SUFFIXES.get(kind, "")


def _url_name(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name


def name_from_disposition(header: str) -> str:
    """Return the file name in a Content-Disposition header, or ""."""
    with contextlib.suppress(UnicodeError):
        # http.client reads headers as Latin-1, but many servers send UTF-8
        header = header.encode("latin-1").decode("utf-8")
    return parse_options_header(header)[1].get("filename", "")
