"""Files and spreadsheets on Google Drive, shared with anyone who has the link.

gdown reads Drive's pages (the virus-scan form, and whatever Google puts there next). Its `download`
is not used: it reports a missing, a private and a briefly failing file as the same error, does not
show the headers that tell whether a file has changed, and resumes a `.part` without checking that
it still belongs to the file.
"""

import contextlib
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from gdown.download import get_url_from_gdrive_confirmation
from gdown.exceptions import FileURLRetrievalError

from lightmodel.config.base import redacted
from lightmodel.errors import ConfigError, DataError, QuotaExceeded
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.cache import FileState, PartialFile
from lightmodel.sources.download import Answer, TransientFailure, download, page_error
from lightmodel.sources.http import WebClient, check_status, file_state, is_rest, range_headers

MAX_PAGES = 5
MAX_PAGE_CHUNKS = 16
_ID = re.compile(r"[A-Za-z0-9_-]+")
_BY_PATH = re.compile(r"(?P<before>.*?)/d/(?P<published>e/)?(?P<id>[^/]+).*")
_BY_QUERY = frozenset({"open", "uc", "download", "leaf", "viewer", "viewerng"})
_FOLDERS = frozenset({"folders", "folderview", "embeddedfolderview", "my-drive", "shared-with-me"})
_DOCUMENTS = frozenset({"document", "presentation", "drawings", "forms"})
_ACCEPTED_FILES = "name a CSV, Parquet, JSON Lines or Excel file, or a Google spreadsheet"


def fetch(uri: str, options: FetchOptions) -> FetchResult:
    """Download the file that any form of Drive link names; see `Source`."""
    link = parse_link(uri)
    return download(functools.partial(_open, link, options.timeout_s), link.uri, options)


@contextlib.contextmanager
def _open(
    link: "DriveLink", timeout_s: float, _: FileState | None, partial: PartialFile | None
) -> Iterator[Answer]:
    """Request the file, or its rest; see `Remote`.

    Drive offers no conditional request: the whole file is requested, and its headers, which come
    first, say whether the body has to be read.
    """
    with WebClient(timeout_s) as client:
        response = _find_file(link, client)
        url = response.url
        if partial is not None and file_state(response, url).is_same_as(partial.state):
            rest = client.get(url, range_headers(partial))
            if is_rest(rest, partial):
                response.close()
                yield client.answer(rest, url, partial)
                return
            rest.close()
        yield client.answer(response, url)


def _find_file(link: "DriveLink", client: WebClient) -> requests.Response:
    url = link.url
    for _ in range(MAX_PAGES):
        response = client.get(url)
        if _is_file(response):
            return response
        url = _next_url(link, client, response)
        response.close()
    raise DataError(
        f"{link.uri}: Drive answers with page after page and no file",
        hint="open the link in a private browser window: can the file be downloaded there?",
    )


def _next_url(link: "DriveLink", client: WebClient, response: requests.Response) -> str:
    """Return the address to which a page of Drive leads, or raise the error that it reports."""
    if response.status_code == 500 and "/uc" in response.url:
        # Drive's answer for Google documents, which have no bytes; /open leads to their kind
        return f"https://drive.google.com/open?id={link.id}"
    start = itertools.islice(client.body(response, response.url), MAX_PAGE_CHUNKS)
    text = b"".join(start).decode(errors="replace")
    if response.status_code == 200:
        with contextlib.suppress(FileURLRetrievalError):
            return _export_url(link, response.url) or get_url_from_gdrive_confirmation(text)
    error = page_error(link.uri, text)
    if isinstance(error, QuotaExceeded):
        raise error
    check_status(response, link.uri)
    path = urlsplit(response.url).path
    if path.startswith("/open") or path.endswith("/view"):
        raise TransientFailure("Drive answered 500")  # for a file, not a document: a failure
    raise error


def _export_url(link: "DriveLink", page: str) -> str:
    """Return the address of a Google spreadsheet as CSV; "" if the page is not one's."""
    path = urlsplit(page).path
    if "/document/" in path or "/presentation/" in path:
        raise ConfigError(f"{link.uri} is a Google document, not a table", hint=_ACCEPTED_FILES)
    sheet = "/spreadsheets/" in path and "/export" not in path
    return replace(link, kind="sheet").url if sheet else ""


def _is_file(response: requests.Response) -> bool:
    page = response.headers.get("Content-Type", "").lower().startswith("text/html")
    offered = "Content-Disposition" in response.headers
    return response.status_code == 200 and (offered or not page)


@dataclass(frozen=True)
class DriveLink:
    """What a link names: a file, one sheet of a spreadsheet, or one that was published to the web."""

    id: str
    kind: str = "file"  # file | sheet | published
    sheet: str = ""
    resource_key: str = ""

    @property
    def uri(self) -> str:
        """The canonical form of the link."""
        if self.kind != "file":
            return self.url
        query = f"?{urlencode({'resourcekey': self.resource_key})}" if self.resource_key else ""
        return f"gdrive://{self.id}{query}"

    @property
    def url(self) -> str:
        """The address from which to download."""
        key = {"resourcekey": self.resource_key} if self.resource_key else {}
        sheet = {"gid": self.sheet} if self.sheet else {}
        if self.kind == "file":
            query = {"id": self.id, "export": "download"} | key
            return f"https://drive.google.com/uc?{urlencode(query)}"
        if self.kind == "published":
            query = {"output": "csv"} | sheet
            return f"https://docs.google.com/spreadsheets/d/e/{self.id}/pub?{urlencode(query)}"
        query = {"format": "csv"} | sheet | key
        return f"https://docs.google.com/spreadsheets/d/{self.id}/export?{urlencode(query)}"


def parse_link(uri: str) -> DriveLink:
    """Parse a Drive link in any form.

    Raises:
        ConfigError: the link names a folder, a document that is no table, or nothing.
    """
    link = _parse_gdrive_uri(uri) if uri.lower().startswith("gdrive:") else _parse_web_link(uri)
    if _ID.fullmatch(link.id) and (not link.resource_key or _ID.fullmatch(link.resource_key)):
        return link
    raise ConfigError(
        f"the Drive address {redacted(uri)} holds no file id",
        hint="write gdrive:// and the id (letters, digits, - and _), which is between /d/ and /view in "
        "the file's link; or paste the whole link",
    )


def _parse_gdrive_uri(uri: str) -> DriveLink:
    name, _, query = uri.partition(":")[2].removeprefix("//").partition("?")
    return DriveLink(name.rstrip("/"), resource_key=dict(parse_qsl(query)).get("resourcekey", ""))


def _parse_web_link(uri: str) -> DriveLink:
    parts = urlsplit(uri if "://" in uri else f"https://{uri}")
    query = dict(parse_qsl(parts.query))
    key = query.get("resourcekey", "")
    match = _BY_PATH.fullmatch(parts.path)
    path = (match["before"] if match else parts.path).strip("/").split("/")
    if _FOLDERS.intersection(path):
        raise ConfigError(
            f"{redacted(uri)} is a folder on Drive, and a table is one file",
            hint="open the folder, choose the file, and copy its own link (Share → Copy link)",
        )
    for kind in _DOCUMENTS.intersection(path):
        raise ConfigError(
            f"{redacted(uri)} is a Google {kind.rstrip('s')}, not a table", hint=_ACCEPTED_FILES
        )
    if match is None:
        return DriveLink(query.get("id", "") if path[-1] in _BY_QUERY else "", resource_key=key)
    if "spreadsheets" not in path:
        return DriveLink(match["id"], resource_key=key)
    gid = query.get("gid") or dict(parse_qsl(parts.fragment)).get("gid", "")
    sheet = gid if re.fullmatch(r"[0-9]+", gid) else ""
    if match["published"]:
        return DriveLink(match["id"], "published", sheet)
    return DriveLink(match["id"], "sheet", sheet, key)
