"""Download one file: lock, request, receive, check, publish; with retries."""

import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lightmodel.config.base import redacted
from lightmodel.errors import DataError, QuotaExceeded, SourceUnavailable
from lightmodel.files import sha256_of, translate_os_errors
from lightmodel.sources.base import FetchOptions, FetchResult
from lightmodel.sources.cache import CachedFile, CacheEntry, FileState, PartialFile

if TYPE_CHECKING:  # tenacity brings asyncio, and is imported when a download begins
    from tenacity import RetryCallState

HEAD_BYTES = 4096
MAX_WAIT_S = 60.0
_PAGE_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<meta", b"<title")
_QUOTA_SIGNS = ("quota exceeded", "too many users have viewed or downloaded this file")

logger = logging.getLogger(__name__)


class TransientFailure(Exception):
    """A failure that a retry may overcome; `wait_s` is the wait that the source asks for."""

    def __init__(self, reason: str, *, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


@dataclass(frozen=True)
class Answer:
    """A source's response: the state of the file, then its bytes from `start` on.

    The bytes are not read if the state is the known one. Without `end_is_marked`, a truncated response
    looks like a complete one.
    """

    state: FileState
    chunks: Iterable[bytes] = ()
    start: int = 0
    end_is_marked: bool = True


class Remote(Protocol):
    """Requests one file from a source.

    It raises TransientFailure where a retry may help, and else an error of this project; so does
    iterating over the chunks.
    """

    def __call__(
        self, known: FileState | None, partial: PartialFile | None, /
    ) -> AbstractContextManager[Answer]:
        """Request the file.

        Args:
            known: state of the cached file: in this state the file need not be sent.
            partial: a partial download; if the file is still in its state, only the rest is needed.
        """
        ...


def download(remote: Remote, uri: str, options: FetchOptions) -> FetchResult:
    """Download a file, complete and checked, unless the cached copy is still valid.

    Raises:
        SourceUnavailable, QuotaExceeded: a later try may help.
        DataError: the source has no such file, or its bytes are not what was asked for.
        StorageFull: the disk is full.
        ConfigError: the cache cannot be written.
    """
    entry = CacheEntry(options.cache, uri)
    with entry.lock():
        cached = entry.cached(options.sha256)
        if cached and options.refresh == "never":
            return entry.result(cached, changed=False)
        try:
            return _Download(remote, entry, options, cached).run()
        except (SourceUnavailable, DataError) as error:
            if cached is None:
                raise
            use = f"--set data.refresh=never uses the copy fetched at {cached.fetched_at}"
            hint = f"{error.hint}; or: {use}" if error.hint else use
            raise type(error)(error.message, hint=hint) from error


@dataclass(frozen=True)
class _Download:
    """One download; `cached` is the complete copy in the cache, if any."""

    remote: Remote
    entry: CacheEntry
    options: FetchOptions
    cached: CachedFile | None

    @property
    def safe_uri(self) -> str:
        """The address without its secrets."""
        return redacted(self.entry.uri)

    def run(self) -> FetchResult:
        """Try until the file is here, or the last try has failed."""
        try:
            return self._try_once()
        except TransientFailure as failure:
            return self._try_again(failure)

    def _try_again(self, first: TransientFailure) -> FetchResult:
        """Make the remaining tries; tenacity takes a while to import and is seldom needed."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        tried = [first]

        def attempt() -> FetchResult:
            if tried:
                raise tried.pop()
            return self._try_once()

        tries = self.options.retries + 1
        retrying = Retrying(
            sleep=self.options.sleep,
            stop=stop_after_attempt(tries),
            wait=_wait_s,
            retry=retry_if_exception_type(TransientFailure),
            before_sleep=self._log_failure,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except TransientFailure as failure:
            raise SourceUnavailable(
                f"{self.safe_uri}: {failure.reason} ({tries} {'tries' if tries > 1 else 'try'})",
                hint="run again later: the partial download is kept, and resumed if the source allows it",
            ) from failure

    def _log_failure(self, state: "RetryCallState") -> None:
        number, tries = state.attempt_number + 1, self.options.retries + 1
        what = f"{self.safe_uri}: {_failure(state)}; try {number} of {tries}"
        logger.warning("%s in %.1f s", what, state.upcoming_sleep)

    def _try_once(self) -> FetchResult:
        entry, cached = self.entry, self.cached
        known = cached.state if cached and self.options.refresh == "changed" else None
        with self.remote(known, entry.partial()) as answer:
            state = answer.state
            if cached and known and (state is known or state.is_same_as(known)):
                logger.info("%s: unchanged since %s", self.safe_uri, cached.fetched_at)
                return entry.result(cached, changed=False)
            self._receive(answer)
        self._check_size(answer)
        self._check_first_bytes()
        sha256 = self._check_hash(answer)
        with translate_os_errors(entry.part):
            file = entry.publish(answer.state, sha256)
        logger.info("%s: fetched %s bytes, sha256 %s", self.safe_uri, f"{file.size:,}", sha256)
        return entry.result(file, changed=cached is None or cached.sha256 != sha256)

    def _receive(self, answer: Answer) -> None:
        entry, state = self.entry, answer.state
        with translate_os_errors(entry.part):
            if state.size is not None:
                entry.check_disk_space(state.size - answer.start)
            if answer.start:
                logger.info("%s: resuming at byte %s", self.safe_uri, f"{answer.start:,}")
            else:
                entry.begin(state)
            progress = self.options.progress.task(f"Fetching {state.name}", state.size, "bytes")
            with progress as advance, entry.open_part(answer.start) as file:
                advance(answer.start)
                for chunk in answer.chunks:
                    file.write(chunk)
                    advance(len(chunk))

    def _check_size(self, answer: Answer) -> None:
        size, announced = self.entry.part.stat().st_size, answer.state.size
        if announced is None and size == 0:
            raise TransientFailure("the response was empty")
        if announced is not None and size < announced:
            raise TransientFailure(f"the response ended after {size:,} of {announced:,} bytes")
        if announced is not None and size > announced:
            self.entry.discard()
            raise TransientFailure(f"{size:,} bytes arrived, but {announced:,} were announced")
        if size == 0:
            self.entry.discard()
            raise DataError(
                f"{self.safe_uri}: the file is empty",
                hint="check at the source whether it was written completely",
            )
        if not answer.end_is_marked:
            logger.info("%s: no length was sent: completeness cannot be checked", self.safe_uri)

    def _check_first_bytes(self) -> None:
        with self.entry.part.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if _is_page(head):
            self.entry.discard()
            raise page_error(self.safe_uri, head.decode(errors="replace"))

    def _check_hash(self, answer: Answer) -> str:
        actual, expected = sha256_of(self.entry.part), self.options.sha256
        if expected in {"", actual}:
            return actual
        self.entry.discard()
        if answer.start:
            raise TransientFailure("the resumed parts do not fit together")
        cut = "; or was the transfer cut short? that cannot be detected"
        raise DataError(
            f"{self.safe_uri}: the file's sha256 is {actual}, but data.sha256 expects {expected}",
            hint="if the file was meant to change, set data.sha256 to the new hash (or to an empty "
            f"string){'' if answer.end_is_marked else cut}",
        )


def _failure(state: "RetryCallState") -> TransientFailure:
    failure = state.outcome.exception() if state.outcome else None
    return failure if isinstance(failure, TransientFailure) else TransientFailure("no response")


def _wait_s(state: "RetryCallState") -> float:
    """Return the exponential back-off in seconds, or what the source asks for if longer."""
    from tenacity.wait import wait_exponential_jitter

    growing = wait_exponential_jitter(initial=1.0, max=MAX_WAIT_S, jitter=1.0)
    return min(max(growing(state), _failure(state).wait_s), MAX_WAIT_S)


def _is_page(head: bytes) -> bool:
    """Return whether bytes that begin with `head` are HTML."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    while text.startswith((b"<!--", b"<?xml")):
        text = text.partition(b">")[2].lstrip()
    return text.startswith(_PAGE_STARTS)


def page_error(uri: str, page: str) -> DataError | QuotaExceeded:
    """Return the error for a web page, or its beginning, that came in place of a table."""
    if any(sign in page.lower() for sign in _QUOTA_SIGNS):
        return QuotaExceeded(
            f"{uri}: Drive's download quota for this file is used up",
            hint="wait (up to 24 hours), list other locations of the file in data.mirrors, or make a copy "
            "of it in your own Drive and use the copy's link",
        )
    return DataError(
        f"{uri}: this is an HTML page: is the file shared with anyone who has the link?",
        hint="open the address in a private browser window: it must offer the file itself, without "
        "a login (on GitHub: the link behind “Raw”)",
    )
