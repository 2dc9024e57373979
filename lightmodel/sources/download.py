"""Bringing one file here: lock, ask, receive, check, publish; again after a failure that may pass."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lightmodel.config.redact import redacted
from lightmodel.errors import DataError, SourceUnavailable
from lightmodel.sources.base import Fetched, FetchOptions
from lightmodel.sources.cache import (
    Entry,
    Partial,
    Record,
    State,
    check_room,
    digest,
    disk_errors,
)
from lightmodel.sources.pages import HEAD_BYTES, is_page, page_error

logger = logging.getLogger(__name__)


class Transient(Exception):
    """A try failed in a way that may pass; `wait_s` is how long the source asks to be left alone."""

    def __init__(self, reason: str, *, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


@dataclass(frozen=True)
class Answer:
    """What a source says and sends: its state, then the bytes from `start` on.

    With `unchanged`, the state is the known one and nothing is sent. With `end_is_marked` not set,
    an answer that is cut short looks like a whole one.
    """

    state: State
    chunks: Iterator[bytes] = field(default_factory=lambda: iter(()))
    start: int = 0
    unchanged: bool = False
    end_is_marked: bool = True


class Remote(Protocol):
    """One file somewhere else.

    `open` raises Transient for what may pass and one of our own errors for what will not; so does
    the iterator that it hands out.
    """

    def open(self, known: State | None, partial: Partial | None) -> AbstractContextManager[Answer]:
        """Ask for the file.

        Args:
            known: if the file is still in this state, it need not be sent.
            partial: what is here already; if it belongs to the file's state, the rest is enough.
        """
        ...


@dataclass(frozen=True)
class Backoff:
    """How long to wait between tries: growing, and spread so that many clients do not march in step."""

    first_s: float = 1.0
    longest_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def wait_s(self, tries: int, asked_s: float) -> float:
        """Give the seconds to wait after `tries` failed tries, of which the source asked `asked_s`."""
        grown = self.first_s * 2.0 ** (tries - 1) * (0.5 + self.jitter() / 2)
        return float(min(max(grown, asked_s), self.longest_s))


@dataclass(frozen=True)
class Download:
    """One fetch under way; `held` is the complete copy that is here, if there is one."""

    remote: Remote
    entry: Entry
    options: FetchOptions
    held: Record | None

    @property
    def shown(self) -> str:
        """The address without its secrets."""
        return redacted(self.entry.uri)


def bring(remote: Remote, uri: str, options: FetchOptions, backoff: Backoff) -> Fetched:
    """Bring a file here, complete and checked, unless what is here already will do.

    Raises:
        SourceUnavailable, QuotaExceeded: trying again later may help.
        DataError: the source has no such file, or its bytes are not what was asked for.
        StorageFull: the disk is full.
        ConfigError: the cache cannot be written.
    """
    entry = Entry(options.cache, uri)
    with entry.locked():
        held = entry.held(options.sha256)
        if held and options.refresh == "never":
            return entry.fetched(held, changed=False)
        download = Download(remote, entry, options, held)
        try:
            return _try_repeatedly(download, backoff)
        except (SourceUnavailable, DataError) as error:
            if held is None:
                raise
            raise type(error)(error.message, hint=_hint_at_copy(error.hint, held)) from error


def _hint_at_copy(hint: str, held: Record) -> str:
    use = f"--set data.refresh=never uses the copy of {held.when} that is here"
    return f"{hint}; or: {use}" if hint else use


def _try_repeatedly(download: Download, backoff: Backoff) -> Fetched:
    tries = download.options.retries + 1
    for number in range(1, tries + 1):
        try:
            return _try_once(download)
        except Transient as fault:
            failed = f"{download.shown}: {fault.reason}"
            if number == tries:
                raise SourceUnavailable(
                    f"{failed} ({tries} {'tries' if tries > 1 else 'try'})",
                    hint="run again later: what has arrived is kept, and gone on from where the source can",
                ) from fault
            wait_s = backoff.wait_s(number, fault.wait_s)
            logger.warning("%s; try %d of %d in %.1f s", failed, number + 1, tries, wait_s)
            backoff.sleep(wait_s)
    raise AssertionError("a try ends in a file or in an error")


def _try_once(download: Download) -> Fetched:
    entry, held = download.entry, download.held
    known = held.state if held and download.options.refresh == "changed" else None
    partial = entry.partial()
    with download.remote.open(known, partial) as answer:
        if held and answer.unchanged:
            logger.info("%s: not changed since %s", download.shown, held.when)
            return entry.fetched(held, changed=False)
        _receive(download, answer)
    _check_size(download, answer)
    if not answer.end_is_marked:
        logger.info(
            "%s: no length was announced: whether all came cannot be checked", download.shown
        )
    _check_first_bytes(download)
    sha256 = _check_hash(download, answer)
    with disk_errors(entry.folder):
        record = entry.publish(answer.state, sha256)
    logger.info("%s: %s bytes are here, sha256 %s", download.shown, f"{record.size:,}", sha256)
    return entry.fetched(record, changed=held is None or held.sha256 != sha256)


def _receive(download: Download, answer: Answer) -> None:
    entry, state = download.entry, answer.state
    with disk_errors(entry.folder):
        if state.size is not None:
            check_room(entry.folder, state.size - answer.start)
        if answer.start:
            logger.info("%s: going on from byte %s", download.shown, f"{answer.start:,}")
        else:
            entry.begin(state)
    progress = download.options.progress.task(f"Fetching {state.name}", state.size, "bytes")
    with progress as steps, disk_errors(entry.folder), entry.writing(answer.start) as file:
        steps.advance(answer.start)
        for chunk in answer.chunks:
            file.write(chunk)
            steps.advance(len(chunk))


def _check_size(download: Download, answer: Answer) -> None:
    size, announced = download.entry.part.stat().st_size, answer.state.size
    if announced is None and size == 0:
        raise Transient("the answer was empty")
    if announced is None:
        return
    if size < announced:
        raise Transient(f"the answer ended after {size:,} of {announced:,} bytes")
    if size > announced:
        download.entry.discard()
        raise Transient(f"{size:,} bytes came, but {announced:,} were announced")
    if size == 0:
        download.entry.discard()
        raise DataError(
            f"{download.shown}: the file is empty",
            hint="look at the file where it lies: has it been written completely?",
        )


def _check_first_bytes(download: Download) -> None:
    with download.entry.part.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if is_page(head):
        download.entry.discard()
        raise page_error(download.shown, head.decode(errors="replace"))


def _check_hash(download: Download, answer: Answer) -> str:
    actual, expected = digest(download.entry.part), download.options.sha256
    if expected in {"", actual}:
        return actual
    download.entry.discard()
    if answer.start:
        raise Transient("the parts that came one after another do not fit together")
    cut = "" if answer.end_is_marked else "; or was it cut short on its way? that cannot be seen"
    raise DataError(
        f"{download.shown}: the file's sha256 is {actual}, but data.sha256 expects {expected}",
        hint="if the file was meant to change, set data.sha256 to the new hash (or to an empty string)"
        + cut,
    )
