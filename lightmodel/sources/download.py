"""Download one file: lock, ask, receive, check, publish; tried again after a failure that may pass."""

import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lightmodel.config.base import redacted
from lightmodel.errors import DataError, QuotaExceeded, SourceUnavailable
from lightmodel.files import sha256_of, translate_os_errors
from lightmodel.sources.base import Fetched, FetchOptions
from lightmodel.sources.cache import CachedFile, CacheEntry, FileState, PartialFile

if TYPE_CHECKING:  # tenacity brings asyncio, and is imported when a download begins
    from tenacity import RetryCallState

HEAD_BYTES = 4096
MAX_WAIT_S = 60.0
_PAGE_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<meta", b"<title")
_QUOTA_SIGNS = ("quota exceeded", "too many users have viewed or downloaded this file")

logger = logging.getLogger(__name__)


class Transient(Exception):
    """A try failed in a way that may pass; `wait_s` is how long the source asks to be left alone."""

    def __init__(self, reason: str, *, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


@dataclass(frozen=True)
class Answer:
    """What a source sends: the state of the file, then its bytes from `start` on.

    They are not asked for where the state is the known one. Where `end_is_marked` is not set, an answer
    that is cut short looks like a whole one.
    """

    state: FileState
    chunks: Iterable[bytes] = ()
    start: int = 0
    end_is_marked: bool = True


class Remote(Protocol):
    """Asks for one file somewhere else.

    It raises Transient for what may pass and one of our own errors for what will not; so does
    iterating over what it hands out.
    """

    def __call__(
        self, known: FileState | None, partial: PartialFile | None, /
    ) -> AbstractContextManager[Answer]:
        """Ask for the file.

        Args:
            known: the state in which the file need not be sent; the answer may have this very state.
            partial: what is here already; if it belongs to the file's state, the rest is enough.
        """
        ...


def download(remote: Remote, uri: str, options: FetchOptions) -> Fetched:
    """Bring a file here, complete and checked, unless what is here already will do.

    Raises:
        SourceUnavailable, QuotaExceeded: trying again later may help.
        DataError: the source has no such file, or its bytes are not what was asked for.
        StorageFull: the disk is full.
        ConfigError: the cache cannot be written.
    """
    entry = CacheEntry(options.cache, uri)
    with entry.lock():
        cached = entry.cached(options.sha256)
        if cached and options.refresh == "never":
            return entry.fetched(cached, changed=False)
        try:
            return _Download(remote, entry, options, cached).run()
        except (SourceUnavailable, DataError) as error:
            if cached is None:
                raise
            use = f"--set data.refresh=never uses the copy of {cached.when} that is here"
            hint = f"{error.hint}; or: {use}" if error.hint else use
            raise type(error)(error.message, hint=hint) from error


@dataclass(frozen=True)
class _Download:
    """One download under way; `cached` is the complete copy that is here, if there is one."""

    remote: Remote
    entry: CacheEntry
    options: FetchOptions
    cached: CachedFile | None

    @property
    def shown(self) -> str:
        """The address without its secrets."""
        return redacted(self.entry.uri)

    def run(self) -> Fetched:
        """Try until a file is here, or the last try failed."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        tries = self.options.retries + 1
        retrying = Retrying(
            sleep=self.options.sleep,
            stop=stop_after_attempt(tries),
            wait=_wait_s,
            retry=retry_if_exception_type(Transient),
            before_sleep=self._log_failure,
            reraise=True,
        )
        try:
            return retrying(self._try_once)
        except Transient as failure:
            raise SourceUnavailable(
                f"{self.shown}: {failure.reason} ({tries} {'tries' if tries > 1 else 'try'})",
                hint="run again later: what has arrived is kept, and gone on from where the source can",
            ) from failure

    def _log_failure(self, state: "RetryCallState") -> None:
        number, tries = state.attempt_number + 1, self.options.retries + 1
        what = f"{self.shown}: {_failure(state)}; try {number} of {tries}"
        logger.warning("%s in %.1f s", what, state.upcoming_sleep)

    def _try_once(self) -> Fetched:
        entry, cached = self.entry, self.cached
        known = cached.state if cached and self.options.refresh == "changed" else None
        with self.remote(known, entry.partial()) as answer:
            state = answer.state
            if cached and known and (state is known or state.is_same_as(known)):
                logger.info("%s: not changed since %s", self.shown, cached.when)
                return entry.fetched(cached, changed=False)
            self._receive(answer)
        self._check_size(answer)
        self._check_first_bytes()
        sha256 = self._check_hash(answer)
        with translate_os_errors(entry.part):
            file = entry.publish(answer.state, sha256)
        logger.info("%s: %s bytes are here, sha256 %s", self.shown, f"{file.size:,}", sha256)
        return entry.fetched(file, changed=cached is None or cached.sha256 != sha256)

    def _receive(self, answer: Answer) -> None:
        entry, state = self.entry, answer.state
        with translate_os_errors(entry.part):
            if state.size is not None:
                entry.check_room(state.size - answer.start)
            if answer.start:
                logger.info("%s: going on from byte %s", self.shown, f"{answer.start:,}")
            else:
                entry.begin(state)
            progress = self.options.progress.task(f"Fetching {state.name}", state.size, "bytes")
            with progress as advance, entry.writing(answer.start) as file:
                advance(answer.start)
                for chunk in answer.chunks:
                    file.write(chunk)
                    advance(len(chunk))

    def _check_size(self, answer: Answer) -> None:
        size, announced = self.entry.part.stat().st_size, answer.state.size
        if announced is None and size == 0:
            raise Transient("the answer was empty")
        if announced is not None and size < announced:
            raise Transient(f"the answer ended after {size:,} of {announced:,} bytes")
        if announced is not None and size > announced:
            self.entry.discard()
            raise Transient(f"{size:,} bytes came, but {announced:,} were announced")
        if size == 0:
            self.entry.discard()
            raise DataError(
                f"{self.shown}: the file is empty",
                hint="check at the source whether it was written completely",
            )
        if not answer.end_is_marked:
            logger.info(
                "%s: no length was announced: whether all came cannot be checked", self.shown
            )

    def _check_first_bytes(self) -> None:
        with self.entry.part.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if _is_page(head):
            self.entry.discard()
            raise page_error(self.shown, head.decode(errors="replace"))

    def _check_hash(self, answer: Answer) -> str:
        actual, expected = sha256_of(self.entry.part), self.options.sha256
        if expected in {"", actual}:
            return actual
        self.entry.discard()
        if answer.start:
            raise Transient("the parts that came one after another do not fit together")
        cut = "; or was it cut short on its way? that cannot be seen"
        raise DataError(
            f"{self.shown}: the file's sha256 is {actual}, but data.sha256 expects {expected}",
            hint="if the file was meant to change, set data.sha256 to the new hash (or to an empty "
            f"string){'' if answer.end_is_marked else cut}",
        )


def _failure(state: "RetryCallState") -> Transient:
    failure = state.outcome.exception() if state.outcome else None
    return failure if isinstance(failure, Transient) else Transient("no answer")


def _wait_s(state: "RetryCallState") -> float:
    """Return a growing number of seconds, or what the source asks for where that is longer."""
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
    """Return the error for a web page, as far as it is known, that came in place of a table."""
    if any(sign in page.lower() for sign in _QUOTA_SIGNS):
        return QuotaExceeded(
            f"{uri}: Drive's download quota for this file is used up",
            hint="wait (up to 24 hours), name other places of the file in data.mirrors, or make a copy "
            "of it in your own Drive and use the copy's link",
        )
    return DataError(
        f"{uri}: this is an HTML page: is the file shared with anyone who has the link?",
        hint="open the address in a private browser window: it must offer the file itself, without "
        "a login (on GitHub: the link behind “Raw”)",
    )
