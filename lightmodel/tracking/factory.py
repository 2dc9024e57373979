"""From a configuration to where runs are tracked; telling it is done by a process of its own.

MLflow takes seconds to import, and what it talks to may hang. So a run writes what there is to tell
into files, and a second process delivers them: it is started as soon as something is about to be told,
and killed when the run has waited long enough for it. What was not delivered waits in its file.
"""

import logging
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from lightmodel.config import Config, environment
from lightmodel.errors import ArtefactMissing, LightModelError, SourceUnavailable
from lightmodel.store.factory import models_of, signer_of
from lightmodel.store.verdict import newest_approved
from lightmodel.tracking.base import Tracker
from lightmodel.tracking.queue import Letter, Outbox
from lightmodel.tracking.records import Destination, RunRecord, Standing

logger = logging.getLogger(__name__)

Record = Callable[[Sequence[RunRecord]], None]
RESEND = "`python -m lightmodel tracking resend` delivers"
LOG = "log"
_RESEND = (sys.executable, "-m", "lightmodel", "tracking", "resend")
_LOOK_EVERY_S = 3.0
_NAME = "light-model"
_NOT_IN_NAMES = re.compile(r"[^\w.-]")


@dataclass(frozen=True)
class Delivery:
    """What became of what was waiting: titles, and why a letter stays."""

    delivered: tuple[str, ...]
    refused: tuple[tuple[str, LightModelError], ...]


def outbox_of(config: Config) -> Outbox:
    """Give the folder of what waits for tracking."""
    return Outbox(config.store.work / "tracking")


def destination_of(config: Config) -> Destination:
    """Give the experiment, and the registered model: each store.root has its own."""
    name = config.tracking.registered_model
    if name == "auto":
        root = config.store.root.resolve()
        name = _NAME if root == Path.cwd() else f"{_NAME}-{_NOT_IN_NAMES.sub('-', root.name)}"
    return Destination(config.tracking.experiment, name)


def untold(records: Sequence[RunRecord]) -> None:
    """Tell nobody: tracking is off."""
    for record in records:
        logger.debug("not tracked: %s %s", record.kind, record.key)


@contextmanager
def recording(config: Config) -> Iterator[Record]:
    """Give what runs are told to; in the end, wait for their delivery for tracking.timeout_s at most.

    Whatever happens to tracking costs a warning. An empty sequence says that something will be told
    soon, so that the process that delivers is ready by then.
    """
    if not config.tracking.is_on:
        yield untold
        return
    with _courier(config) as courier:
        yield lambda records: courier.post(letters(config, records))


def tell_standing(config: Config) -> None:
    """Tell which version is served now, as `recording` tells of runs."""
    if config.tracking.is_on:
        with _courier(config) as courier:
            courier.post([standing(config)])


@contextmanager
def _courier(config: Config) -> "Iterator[Courier]":
    courier = Courier(config)
    try:
        yield courier
    except KeyboardInterrupt:
        courier.give_up()
        raise
    finally:
        courier.finish()


@dataclass
class Courier:
    """Writes letters, and has them delivered by a process of its own."""

    config: Config
    told: bool = False
    process: "subprocess.Popen[bytes] | None" = None

    def post(self, letters: Iterable[Letter]) -> None:
        """Keep what is to be told, and have the deliverer ready."""
        try:
            for letter in letters:
                outbox_of(self.config).put(letter)
                self.told = True
            self._start()
        except (LightModelError, OSError) as error:
            logger.warning("tracking: not everything could be kept to be told: %s", error)

    def _start(self) -> None:
        if self.process and self.process.poll() is None:
            return
        outbox = outbox_of(self.config)
        outbox.folder.mkdir(parents=True, exist_ok=True)
        sections = {"tracking": self.config.tracking, "store": self.config.store}
        with (outbox.folder / LOG).open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 — our own command
                [*_RESEND, "--behind-a-run", "--config", os.devnull],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment.for_child(sections),
                start_new_session=True,
            )

    def finish(self) -> None:
        """Wait until everything is delivered, or long enough."""
        process, self.process = self.process, None
        if process is None:
            return
        if not self.told:
            _kill(process)
            return
        _close(process)
        try:
            code = process.wait(self.config.tracking.timeout_s)
            why = self._last_words() if code else ""
        except subprocess.TimeoutExpired:
            why = f"MLflow was not done within {self.config.tracking.timeout_s:g} s"
        finally:
            _kill(process)
        if waiting := len(outbox_of(self.config).waiting()):
            what = "1 record waits" if waiting == 1 else f"{waiting} records wait"
            logger.warning("tracking: %s, and %s: %s", why or "not all was taken", what, RESEND)

    def give_up(self) -> None:
        """Do not wait: the user is in a hurry."""
        if self.process:
            _kill(self.process)
            self.process = None

    def _last_words(self) -> str:
        try:
            text = (outbox_of(self.config).folder / LOG).read_text(errors="replace")
        except OSError:
            return ""
        lines = [line for line in text.splitlines() if line.strip()]
        told = [at for at, line in enumerate(lines) if line.startswith("error: ")]
        said = lines[told[-1] :] if told else lines[-1:]
        return " ".join(said).removeprefix("error: ")[:300]


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it started."""
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    _close(process)


def _close(process: "subprocess.Popen[bytes]") -> None:
    """Say to a process that nothing more comes."""
    if process.stdin:
        with suppress(OSError):
            process.stdin.close()


def letters(config: Config, records: Sequence[RunRecord]) -> Iterator[Letter]:
    """Give what is to be told: the runs, and how things stand after them."""
    to = destination_of(config)
    for record in records:
        yield Letter(record, to)
        if record.kind == "model":
            rejected = record.tags.get("verdict") == "rejected"
            yield standing(config, challenger=record.key if rejected else "")


def standing(config: Config, challenger: str = "") -> Letter:
    """Say which version is served now."""
    try:
        champion = newest_approved(models_of(config), signer_of(config)).name
    except ArtefactMissing:
        champion = ""
    now = datetime.now(UTC).isoformat()
    return Letter(Standing(champion, challenger, now), destination_of(config))


def tracker_of(config: Config) -> Tracker:
    """Connect to what tracking.uri names.

    Raises:
        ConfigError: MLflow is not installed, or knows no such address.
        SourceUnavailable: it does not answer.
    """
    from lightmodel.tracking.server import open_mlflow, variables

    section = config.tracking
    username, password, token = (
        one.get_secret_value() if one else ""
        for one in (section.username, section.password, section.token)
    )
    environment.export(variables(username, password, token, section.timeout_s))
    return open_mlflow(section.uri, section.folder)


def deliver(config: Config, tracker: Tracker, told: Callable[[str], None]) -> Delivery:
    """Deliver what waits, oldest first; a letter that is refused stays, and so do all when nobody answers.

    Raises:
        SourceUnavailable: MLflow does not answer.
        AlreadyRunning: another process delivers.
    """
    outbox = outbox_of(config)
    done: list[str] = []
    refused: list[tuple[str, LightModelError]] = []
    untold: set[str] = set()
    with outbox.delivering(config.tracking.timeout_s):
        for path in outbox.waiting():
            try:
                letter = outbox.read(path)
                content = letter.content
                if isinstance(content, Standing) and untold & {
                    content.champion,
                    content.challenger,
                }:
                    continue  # what it is about was refused just now
                untold.add(_key_of(content))
                _tell(tracker, letter)
                untold.discard(_key_of(content))
            except SourceUnavailable:
                raise
            except LightModelError as error:
                refused.append((path.name, error))
                continue
            path.unlink(missing_ok=True)
            done.append(letter.title)
            told(letter.title)
    return Delivery(tuple(done), tuple(refused))


def _key_of(content: RunRecord | Standing) -> str:
    return content.key if isinstance(content, RunRecord) else content.since


def _tell(tracker: Tracker, letter: Letter) -> None:
    if isinstance(letter.content, RunRecord):
        tracker.send(letter.content, letter.to)
    else:
        tracker.appoint(letter.content, letter.to)


def deliver_behind_a_run(config: Config, tracker: Tracker, source: BinaryIO) -> Delivery:
    """Deliver what a run tells while it works, and the rest when it ends: when `source` ends.

    Raises:
        SourceUnavailable: MLflow does not answer.
        AlreadyRunning: another process delivers.
    """
    answers = True
    with suppress(OSError):
        os.nice(10)  # training comes first
    while not select.select([source], [], [], _LOOK_EVERY_S)[0]:
        if answers and outbox_of(config).waiting():
            try:
                deliver(config, tracker, lambda _: None)
            except SourceUnavailable:
                answers = False  # the run's end is the next try
    return deliver(config, tracker, lambda _: None)
