"""What is kept of an unfinished job, so that it goes on after a kill without a row lost or twice.

Beside the output there is a hidden folder with the answers so far, and a manifest that says what they
belong to and how many of their bytes count. What was written after the manifest is cut off, and its rows
are scored again.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from lightmodel.errors import AlreadyRunning
from lightmodel.files import OTHER_FILE, file_lock, translate_os_errors, write_atomic

logger = logging.getLogger(__name__)

_FORMAT = 1
_ANSWERS, _ERRORS, _MANIFEST, _LOCK = "answers", "errors.jsonl", "manifest.json", "lock"


@dataclass
class Position:
    """How far a job has come.

    Attributes:
        pieces: of the input that are finished.
        file: the place of the last one's file among the files.
        file_rows: rows of that file so far.
        answers: bytes of the answers.
        errors: bytes of the file of bad rows.
        rows: of the input so far; blank and bad ones are among them.
        noticed: see `ScoredPiece`.
        is_complete: whether all rows are finished.
    """

    pieces: int = 0
    file: int = 0
    file_rows: int = 0
    answers: int = 0
    errors: int = 0
    rows: int = 0
    scored: int = 0
    bad: int = 0
    has_ids: bool | None = None
    noticed: dict[str, dict[str, int]] = field(default_factory=dict)
    is_complete: bool = False


@dataclass
class WorkFolder:
    """The hidden folder of a job.

    Attributes:
        answers: of the rows so far, open for writing at their end.
        errors: the bad rows so far, likewise.
    """

    folder: Path
    job: dict[str, Any]
    position: Position
    answers: BinaryIO
    errors: BinaryIO

    @property
    def answers_path(self) -> Path:
        """The file of the answers."""
        return self.folder / _ANSWERS

    @property
    def errors_path(self) -> Path:
        """The file of the bad rows."""
        return self.folder / _ERRORS

    def save(self) -> None:
        """Write down the position, after all that it counts is on the disk.

        Raises:
            StorageFull, ConfigError: see `translate_os_errors`.
        """
        for file in (self.answers, self.errors):
            file.flush()
            os.fsync(file.fileno())
        self.position.answers, self.position.errors = self.answers.tell(), self.errors.tell()
        content = {"format": _FORMAT, "job": self.job, "position": asdict(self.position)}
        write_atomic(self.folder / _MANIFEST, orjson.dumps(content, option=orjson.OPT_INDENT_2))

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def open_work(out: Path, job: dict[str, Any]) -> Iterator[WorkFolder]:
    """Lock and open the folder of an output; begin anew where it does not belong to this job.

    Args:
        out: the file for the answers.
        job: everything that the answers depend on, as JSON.

    Raises:
        AlreadyRunning: another process writes this output.
        StorageFull, ConfigError: see `translate_os_errors`.
    """
    folder = out.with_name(f".{out.name}.scoring")
    with translate_os_errors(out, OTHER_FILE):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, out):
            position = _position(folder, job)
            with (
                _at(folder / _ANSWERS, position.answers) as answers,
                _at(folder / _ERRORS, position.errors) as errors,
            ):
                yield WorkFolder(folder, job, position, answers, errors)


@contextmanager
def _locked(folder: Path, out: Path) -> Iterator[None]:
    try:
        lock = file_lock(folder / _LOCK, 0)
    except TimeoutError:
        raise AlreadyRunning(
            f"another process writes {out}", hint="wait for it, or name another output"
        ) from None
    with lock:
        yield


def _position(folder: Path, job: dict[str, Any]) -> Position:
    """Return where to go on: at the beginning, unless the folder holds answers of this job."""
    try:
        content = orjson.loads((folder / _MANIFEST).read_bytes())
    except FileNotFoundError:
        return Position()
    except (OSError, orjson.JSONDecodeError):
        content = {}
    differing = _differing(content, job)
    if differing:
        logger.info("starting anew: the unfinished job was about another %s", differing)
        return Position()
    position = Position(**content["position"])
    sizes = {_ANSWERS: position.answers, _ERRORS: position.errors}
    for name, size in sizes.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size < size:
            logger.info("starting anew: what was scored before is gone")
            return Position()
    logger.info("going on after %s rows that were scored before", f"{position.rows:,}")
    return position


def _differing(content: dict[str, Any], job: dict[str, Any]) -> str:
    """Return what differs between the job of a manifest and this one; "" if nothing does."""
    if content.get("format") != _FORMAT:
        return "format"
    before = content["job"]
    return ", ".join(name for name in job if before.get(name) != job[name])


@contextmanager
def _at(path: Path, size: int) -> Iterator[BinaryIO]:
    """Open a file for writing after its first `size` bytes; the rest is cut off."""
    path.touch()
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size)
        yield file
