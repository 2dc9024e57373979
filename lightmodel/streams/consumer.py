"""Read a stream, score it and write answers, until it is told to stop: `python -m lightmodel stream`."""

import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lightmodel.config import Config, StreamsSection
from lightmodel.errors import (
    AlreadyRunning,
    ConfigError,
    DataError,
    SourceUnavailable,
)
from lightmodel.files import file_lock, translate_os_errors
from lightmodel.predictions.factory import open_log
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.streams.base import Message, Record, StreamInput, StreamOutput
from lightmodel.streams.checkpoints import Checkpoints
from lightmodel.streams.factory import open_input, open_output
from lightmodel.streams.metrics import StreamMetrics, serve_metrics
from lightmodel.streams.processing import BatchProcessor, Outcome
from lightmodel.streams.retries import pause_before

logger = logging.getLogger(__name__)

Wait = Callable[
    [float], bool
]  # waits so many seconds at most; returns whether the consumer shall stop


class PatientOutput:
    """Writes until everything is written or the consumer is stopped: meanwhile nothing is read."""

    def __init__(self, output: StreamOutput, wait: Wait) -> None:
        self._output = output
        self._wait = wait
        self.largest = output.largest

    def write(self, messages: Sequence[Message]) -> list[int]:
        """Write messages; return the places of those that are left when the consumer is stopped."""
        left, tries = list(range(len(messages))), 0
        while left:
            refused = self._output.write([messages[at] for at in left])
            left = [left[at] for at in refused]
            if not left:
                break
            tries += 1
            if tries == 1:
                logger.warning("%d messages were not taken; they are sent again", len(left))
            if self._wait(pause_before(tries)):
                break
        return left

    def close(self) -> None:
        """Let go of connections."""
        self._output.close()


@dataclass(frozen=True)
class Consumer:
    """Processes a stream batch by batch: the next one is read when the last one is written.

    A position is stored once everything up to it is written. So a consumer that was killed goes on with
    the batch that it was at, and writes no more than this one again.
    """

    source: StreamInput
    processor: BatchProcessor
    checkpoints: Checkpoints
    metrics: StreamMetrics
    settings: StreamsSection
    wait: Wait

    def run(self, *, drain: bool = False) -> None:
        """Process until told to stop or, with `drain`, until there is nothing new.

        Raises:
            DataError: a record cannot be scored, and there is no stream for dead letters.
            LightModelError: somebody has to change something first.
        """
        self.source.seek(self.checkpoints.positions())
        failures = 0
        while not self.wait(pause_before(failures) if failures else 0.0):
            try:
                records = self.source.read(self.settings.batch_records)
            except SourceUnavailable as error:
                failures += 1
                if failures == 1:
                    logger.warning("%s; trying again", error.message)
                continue
            failures = 0
            if records:
                self._process(records)
            elif self.source.is_at_end and (drain or self.wait(self.settings.poll_interval_s)):
                return

    def _process(self, records: Sequence[Record]) -> None:
        request_id = secrets.token_hex(12)
        outcome = self.processor.process(records, request_id)
        if not self.settings.test_run:
            self._check_rejected(outcome)
            # What is left when it is stopped is read again; what was written is then recognised.
            positions = {one.shard: one.position for one in records} if not outcome.failed else {}
            self.checkpoints.advance(positions, outcome.keys)
        self.metrics.count(records, outcome)
        logger.info(
            "%d records: %d answered, %d rejected, %d repeated",
            *(outcome.records, len(outcome.answers), len(outcome.rejected), outcome.repeated),
            extra={"request_id": request_id, "version": outcome.version},
        )

    def _check_rejected(self, outcome: Outcome) -> None:
        """Raise DataError where a record was rejected and cannot be put aside."""
        if self.processor.dead_letter is not None or not outcome.rejected:
            return
        self.checkpoints.advance({}, outcome.keys)
        first = outcome.rejected[0]
        raise DataError(
            f"the record {first.place.name} cannot be scored: {first.error.message}",
            hint="set streams.dead_letter, or --dead-letter, for such records; then it goes on here",
        )


def consume(config: Config, stop: threading.Event, *, drain: bool = False) -> None:
    """Process the stream that streams.input names until `stop` is set.

    Raises:
        ConfigError: a stream is not named, or something is missing.
        AlreadyRunning: another process reads this stream with these checkpoints.
        LightModelError: see `Consumer.run`; or there is no model.
    """
    settings = config.streams
    if not settings.input:
        raise ConfigError("no stream is named to read", hint="set streams.input, or --input")
    if not settings.output and not settings.test_run:
        raise ConfigError(
            "no stream is named to write answers to",
            hint="set streams.output, or --output; --test-run writes nothing",
        )
    with ExitStack() as stack:
        metrics = StreamMetrics()
        models = ModelManager(
            ModelStoreView(config), config.serve.reload_interval_s, metrics.change_model
        )
        models.require()
        checkpoints = stack.enter_context(_checkpoints(config))
        source = stack.enter_context(closing(open_input(settings.input, settings)))
        # Here it is the consumer that tries again, for it can be stopped meanwhile.
        once = settings.model_copy(update={"retries": 0})
        outputs = [
            output and stack.enter_context(closing(PatientOutput(output, stop.wait)))
            for output in (open_output(at, once) for at in (settings.output, settings.dead_letter))
        ]
        log = None if settings.test_run else open_log(config, metrics.count_log)
        if log is not None:
            stack.callback(log.close)
        if settings.metrics_port:
            stack.enter_context(serve_metrics(metrics, config))
        models.watch()
        processor = BatchProcessor(config, models, outputs[0], outputs[1], checkpoints, log)
        consumer = Consumer(source, processor, checkpoints, metrics, settings, stop.wait)
        logger.info("reading %s", settings.input)
        consumer.run(drain=drain)


@contextmanager
def _checkpoints(config: Config) -> Iterator[Checkpoints]:
    """Open the checkpoints of the stream, for this process alone; a test run keeps none."""
    settings = config.streams
    if settings.test_run:
        with closing(Checkpoints(None, settings.dedupe_window)) as checkpoints:
            yield checkpoints
        return
    path = checkpoint_file(config)
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = file_lock(path.with_suffix(".lock"), timeout_s=0)
    except TimeoutError as error:
        raise AlreadyRunning(
            f"another process reads {settings.input} with the checkpoints in {path.parent}",
            hint="stop it, or set another streams.folder to read all of the stream a second time",
        ) from error
    with lock, closing(Checkpoints(path, settings.dedupe_window)) as checkpoints:
        yield checkpoints


def checkpoint_file(config: Config) -> Path:
    """Return the file of the checkpoints of streams.input."""
    settings = config.streams
    folder = config.store.work / "streams" if settings.folder == "auto" else settings.folder
    return folder / f"{re.sub('[^A-Za-z0-9_.-]+', '-', settings.input)}.sqlite"
