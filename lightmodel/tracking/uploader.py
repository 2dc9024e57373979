"""Queue what is to be sent to MLflow, and let a second process upload it.

MLflow takes seconds to import, and a server may hang. So a run writes what is to be logged into a
queue, and a second process uploads it: started as soon as something is about to be queued, killed when
the run has waited for tracking.timeout_s. What was not uploaded stays in the queue.
"""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from lightmodel.config import Config, environment
from lightmodel.errors import AlreadyRunning, ArtefactMissing, LightModelError, SourceUnavailable
from lightmodel.store.verdict import newest_approved
from lightmodel.store.versions import models_of
from lightmodel.tracking.records import AliasUpdate, PendingRun, Queue, RunRecord

logger = logging.getLogger(__name__)

Record = Callable[[Sequence[RunRecord]], None]
RESEND = "`python -m lightmodel tracking resend`"
_COMMAND = (sys.executable, "-m", "lightmodel", "tracking", "resend")
_NAME = "light-model"
_LONGEST_ERROR = 300


def no_tracking(records: Sequence[RunRecord]) -> None:
    """Discard the records, for tracking is off."""
    for record in records:
        logger.debug("not tracked: %s %s", record.kind, record.key)


def queue_of(config: Config) -> Queue:
    """Return the queue of runs that were not sent to MLflow yet."""
    return Queue(config.store.work / "tracking")


def registered_model_of(config: Config) -> str:
    """Return the name of the registered model: each store.root has its own."""
    root = config.store.root.resolve()
    if config.tracking.registered_model != "auto":
        return config.tracking.registered_model
    return _NAME if root == Path.cwd() else f"{_NAME}-" + re.sub(r"[^\w.-]", "-", root.name)


def recording(config: Config) -> AbstractContextManager[Record]:
    """Return a context manager whose function logs runs; on leaving it waits for their upload.

    It waits for at most tracking.timeout_s, and failures are only warnings. Calling the function with
    an empty sequence announces that runs will follow, so that the second process starts in time.
    """
    return Uploader(config) if config.tracking.uri != "none" else nullcontext(no_tracking)


def sync_aliases(config: Config) -> None:
    """Set MLflow's champion to the served version; as in `recording`, failures are only warnings."""
    if config.tracking.uri != "none":
        with Uploader(config) as record:
            record([None])


class Uploader:
    """Queues runs, and owns the process that uploads them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._queue = queue_of(config)
        self._queued = False
        self._process: subprocess.Popen[bytes] | None = None

    def record(self, runs: Sequence[RunRecord | None]) -> None:
        """Queue runs, and with each model the aliases; None queues the aliases alone."""
        experiment, model = self._config.tracking.experiment, registered_model_of(self._config)
        try:
            for run in runs:
                has_aliases = run is None or run.kind == "model"
                aliases = self._aliases(run) if has_aliases else None
                self._queue.put(PendingRun(experiment, model, run, aliases))
                self._queued = True
            self._start()
        except (LightModelError, OSError) as error:
            logger.warning("tracking: not every run could be queued: %s", error)

    def _aliases(self, run: RunRecord | None) -> AliasUpdate:
        try:
            champion = newest_approved(models_of(self._config)).name
        except ArtefactMissing:
            champion = ""
        challenger = run.key if run and run.tags.get("verdict") == "rejected" else ""
        return AliasUpdate(champion, challenger, since=datetime.now(UTC).isoformat())

    def _start(self) -> None:
        """Start the second process if it is not running, and signal it to upload queued runs."""
        if self._process is None:
            sections = {"tracking": self._config.tracking, "store": self._config.store}
            self._process = subprocess.Popen(  # noqa: S603 — our own command
                [*_COMMAND, "--follow", "--config", os.devnull],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment.child_environment(sections),
                start_new_session=True,  # Ctrl-C is for the run
            )
        if self._queued and self._process.stdin:
            with suppress(OSError):  # it died; the queue is kept
                self._process.stdin.write(b"\n")

    def __enter__(self) -> Callable[[Sequence[RunRecord | None]], None]:
        return self.record

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait until everything is uploaded, but no longer than tracking.timeout_s."""
        process, timeout_s = self._process, self._config.tracking.timeout_s
        if process is None:
            return
        why = "not every run was accepted"
        must_wait = self._queued and kind is not KeyboardInterrupt
        try:
            if must_wait:
                log = process.communicate(timeout=timeout_s)[1].decode(errors="replace")
                if "error: " in log:
                    why = " ".join(log.rpartition("error: ")[2].split())[:_LONGEST_ERROR]
        except subprocess.TimeoutExpired:
            why = f"MLflow did not finish within {timeout_s:g} s"
        finally:
            process.kill()
            process.communicate()
        if must_wait and (waiting := len(self._queue.files())):
            queued = "1 run remains" if waiting == 1 else f"{waiting} runs remain"
            logger.warning("tracking: %s; %s queued, to upload with %s", why, queued, RESEND)


@dataclass(frozen=True)
class UploadResult:
    """The result of uploading one pending run; after an error it stays in the queue."""

    title: str
    error: LightModelError | None = None


def upload(
    queue: Queue, send: Callable[[PendingRun], None], timeout_s: float
) -> Iterator[UploadResult]:
    """Upload the queued runs, oldest first, and remove each from the queue.

    If another process is uploading, wait for it for at most `timeout_s` seconds.

    Raises:
        SourceUnavailable: MLflow does not answer; the remaining runs stay queued.
        AlreadyRunning: another process still uploads.
    """
    with queue.lock(timeout_s):
        for path in queue.files():
            try:
                pending = queue.read(path)
                send(pending)
            except SourceUnavailable:
                raise
            except LightModelError as error:
                yield UploadResult(path.name, error)
            else:
                path.unlink(missing_ok=True)
                yield UploadResult(pending.title)


def upload_on_lines(
    queue: Queue, send: Callable[[PendingRun], None], timeout_s: float, lines: BinaryIO
) -> Iterator[UploadResult]:
    """Upload at each line of a stream, and once more at its end; see `upload` for the errors."""
    with suppress(OSError):
        os.nice(10)  # training comes first
    for _ in lines:
        with suppress(SourceUnavailable, AlreadyRunning):  # the last time decides
            yield from upload(queue, send, timeout_s)
    yield from upload(queue, send, timeout_s)
