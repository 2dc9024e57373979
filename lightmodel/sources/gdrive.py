"""Files and spreadsheets on Google Drive, shared with anyone who has the link.

gdown reads Drive's pages (the virus-scan form, and whatever Google puts there next). Its `download`
is not used: it reports a missing, a private and a briefly failing file as the same error, does not
show the headers that tell whether a file has changed, and goes on from a `.part` without asking
whether that still belongs to the file.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import requests
from gdown.download import get_url_from_gdrive_confirmation
from gdown.exceptions import FileURLRetrievalError

from lightmodel.errors import ConfigError, DataError, QuotaExceeded
from lightmodel.sources.base import Fetched, FetchOptions
from lightmodel.sources.cache import Partial, State
from lightmodel.sources.download import Answer, Backoff, Transient, bring
from lightmodel.sources.drive_links import DriveLink, parse_link
from lightmodel.sources.pages import page_error
from lightmodel.sources.web import (
    answer_from,
    answer_going_on,
    asked,
    body,
    check_status,
    goes_on,
    new_session,
    range_headers,
    state_of,
)

MAX_PAGES = 5
MAX_PAGE_CHUNKS = 16


@dataclass(frozen=True)
class GoogleDrive:
    """The source of what lies on Drive."""

    backoff: Backoff = field(default_factory=Backoff)

    def fetch(self, uri: str, options: FetchOptions) -> Fetched:
        """Bring the file that any form of Drive link names here."""
        link = parse_link(uri)
        return bring(DriveFile(link, options.timeout_s), link.uri, options, self.backoff)


@dataclass(frozen=True)
class DriveFile:
    """One file on Drive."""

    link: DriveLink
    timeout_s: float

    @contextlib.contextmanager
    def open(self, known: State | None, partial: Partial | None) -> Iterator[Answer]:
        """Ask for the file, or for its rest; see `Remote`.

        Drive offers no conditional request: the whole file is asked for, and its headers, which come
        first, say whether the body has to be read.
        """
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(new_session())
            response = self._find_file(session, stack)
            url = response.url
            if partial is not None and state_of(response, url).is_same_as(partial.state):
                headers = range_headers(partial)
                rest = stack.enter_context(asked(session, url, self.timeout_s, headers))
                if goes_on(rest, partial):
                    response.close()
                    yield answer_going_on(rest, url, self.timeout_s, partial)
                    return
                rest.close()
            yield answer_from(response, url, self.timeout_s, known)

    def _find_file(
        self, session: requests.Session, stack: contextlib.ExitStack
    ) -> requests.Response:
        url = self.link.url
        for _ in range(MAX_PAGES):
            response = stack.enter_context(asked(session, url, self.timeout_s, {}))
            if _is_file(response):
                return response
            url = self._next_url(response)
            response.close()
        raise DataError(
            f"{self.link.uri}: Drive only leads from page to page",
            hint="open the link in a private browser window: can the file be downloaded there?",
        )

    def _next_url(self, response: requests.Response) -> str:
        """Find out what Drive's page wants, and where it leads."""
        if response.status_code == 500 and "/uc" in response.url:
            # so Drive answers for its own documents, which have no bytes; their page shows the kind
            return f"https://drive.google.com/open?id={self.link.id}"
        text = self._text(response)
        if response.status_code == 200:
            with contextlib.suppress(FileURLRetrievalError):
                return self._export_url(response.url) or get_url_from_gdrive_confirmation(text)
        error = page_error(self.link.uri, text)
        if isinstance(error, QuotaExceeded):
            raise error
        check_status(response, self.link.uri)
        path = urlsplit(response.url).path
        if path.startswith("/open") or path.endswith("/view"):
            raise Transient("Drive answered 500")  # and yet it is a file, not a document
        raise error

    def _export_url(self, page: str) -> str:
        """Give where Google's own spreadsheet comes as CSV, or "" if this is not one's page."""
        path = urlsplit(page).path
        if "/document/" in path or "/presentation/" in path:
            raise ConfigError(
                f"{self.link.uri} is a Google document, not a table",
                hint="name a CSV, Parquet, JSON Lines or Excel file, or a Google spreadsheet",
            )
        sheet = "/spreadsheets/" in path and "/export" not in path
        return replace(self.link, kind="sheet").url if sheet else ""

    def _text(self, response: requests.Response) -> str:
        start = itertools.islice(body(response, response.url, self.timeout_s), MAX_PAGE_CHUNKS)
        return b"".join(start).decode(errors="replace")


def _is_file(response: requests.Response) -> bool:
    page = response.headers.get("Content-Type", "").lower().startswith("text/html")
    offered = "Content-Disposition" in response.headers
    return response.status_code == 200 and (offered or not page)
