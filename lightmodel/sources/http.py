"""Tables at https:// and http:// addresses."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from lightmodel.config.redact import redacted
from lightmodel.sources.base import Fetched, FetchOptions
from lightmodel.sources.cache import Partial, State
from lightmodel.sources.download import Answer, Backoff, bring
from lightmodel.sources.web import (
    answer_from,
    answer_going_on,
    asked,
    check_status,
    condition_headers,
    goes_on,
    new_session,
    range_headers,
)


@dataclass(frozen=True)
class Http:
    """The source of what a web server offers under a fixed address."""

    backoff: Backoff = field(default_factory=Backoff)

    def fetch(self, uri: str, options: FetchOptions) -> Fetched:
        """Bring the file at `uri` here."""
        return bring(WebFile(uri, options.timeout_s), uri, options, self.backoff)


@dataclass(frozen=True)
class WebFile:
    """One file on a web server."""

    url: str
    timeout_s: float

    @contextlib.contextmanager
    def open(self, known: State | None, partial: Partial | None) -> Iterator[Answer]:
        """Ask for the file, or for its rest; see `Remote`."""
        conditions = condition_headers(known)
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(new_session())
            headers = conditions | range_headers(partial)
            response = stack.enter_context(asked(session, self.url, self.timeout_s, headers))
            if partial is not None and goes_on(response, partial):
                yield answer_going_on(response, self.url, self.timeout_s, partial)
                return
            if response.status_code in {206, 416}:
                # the rest does not belong to the beginning that is here: the whole file, then
                response.close()
                whole = asked(session, self.url, self.timeout_s, conditions)
                response = stack.enter_context(whole)
            if known is not None and response.status_code == 304:
                yield Answer(known, unchanged=True)
                return
            check_status(response, redacted(self.url))
            yield answer_from(response, self.url, self.timeout_s, known)
