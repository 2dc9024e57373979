"""The answers to files, on the disk of the console, until they are downloaded or too old."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from filelock import FileLock, Timeout

from lightmodel.console.files.summary import Summary
from lightmodel.files import translate_os_errors

_PREFIX, _LOCK = "light-model-answers-", "lock"
_HINT = "set console.folder to a folder that the console may write to"


@dataclass(frozen=True)
class Answer:
    """The answer to a file.

    Attributes:
        id: gives access to it, and cannot be guessed.
        owner: the session that sent the file; no other session sees the answer.
        name: of the file that was sent.
        headers: of the service's answer.
        seconds: from the file's first byte to the answer's last one.
    """

    id: str
    owner: str
    name: str
    path: Path
    summary: Summary
    headers: Mapping[str, str]
    seconds: float
    created: float
    bytes: int


class AnswerStore:
    """Keeps the answers of all sessions apart; methods are safe to call from any thread.

    Args:
        folder: None for the temporary folder of the system.
        max_bytes: beyond which the oldest answers are deleted.
        keep_s: seconds after which an answer is deleted.
        clock: returns seconds.
    """

    def __init__(
        self,
        folder: Path | None,
        max_bytes: int,
        keep_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parent = folder or Path(tempfile.gettempdir())
        with translate_os_errors(parent, _HINT):
            parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(parent)
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock_of_folder = FileLock(self._folder / _LOCK)
        self._lock_of_folder.acquire()
        self.max_bytes = max_bytes
        self._keep_s, self.clock = keep_s, clock
        self._answers: dict[str, Answer] = {}
        self._lock = threading.Lock()

    def new_path(self) -> Path:
        """Return a path for a new answer."""
        return self._folder / token_urlsafe(16)

    def add(self, answer: Answer) -> None:
        """Keep an answer in place of the same session's last one."""
        with self._lock:
            for old in [one for one in self._answers.values() if one.owner == answer.owner]:
                self._remove(old)
            self._answers[answer.id] = answer
            self._expire()
            while sum(one.bytes for one in self._answers.values()) > self.max_bytes:
                self._remove(next(iter(self._answers.values())))

    def get(self, key: str) -> Answer | None:
        """Return an answer; None if there is none, or no more."""
        with self._lock:
            self._expire()
            return self._answers.get(key)

    def close(self) -> None:
        """Delete all answers."""
        with self._lock:
            self._answers.clear()
        self._lock_of_folder.release()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _expire(self) -> None:
        oldest = self.clock() - self._keep_s
        for old in [one for one in self._answers.values() if one.created < oldest]:
            self._remove(old)

    def _remove(self, answer: Answer) -> None:
        del self._answers[answer.id]
        answer.path.unlink(missing_ok=True)


def _remove_leftovers(parent: Path) -> None:
    """Remove the answers of consoles that were killed: a living one holds the lock of its folder."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            with FileLock(folder / _LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):  # it is in use, or another user's
            continue
