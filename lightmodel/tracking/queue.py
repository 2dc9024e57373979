"""The queue of what was not sent to MLflow yet: a folder with one JSON file for each run."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from lightmodel.errors import AlreadyRunning, ArtefactCorrupt
from lightmodel.files import translate_os_errors, write_atomic
from lightmodel.tracking.records import AliasUpdate, RunRecord


@dataclass(frozen=True)
class PendingRun:
    """A run to log, aliases to set after it, or one of the two.

    Attributes:
        experiment: name of the experiment that the run belongs to.
        model: name of the registered model that the aliases belong to.
        run: to log.
        aliases: to set.
        format: of the file.
    """

    experiment: str
    model: str
    run: RunRecord | None = None
    aliases: AliasUpdate | None = None
    format: Literal[2] = 2

    @property
    def title(self) -> str:
        """Its kind and name, for people."""
        if self.run:
            return f"{self.run.kind} {self.run.key}"
        return f"champion {(self.aliases and self.aliases.champion) or 'none'}"


@cache
def _json() -> TypeAdapter[PendingRun]:
    return TypeAdapter(PendingRun)  # it takes some milliseconds to build


class Queue:
    """A folder of pending runs, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, pending: PendingRun) -> Path:
        """Write a pending run, whole or not at all, and return its file.

        Raises:
            LightModelError: the folder cannot be written to, or the disk is full.
        """
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
        path = self.folder / f"{stamp}-{secrets.token_hex(3)}.json"
        with translate_os_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, _json().dump_json(pending, indent=1, fallback=str))
        return path

    def files(self) -> list[Path]:
        """Return the files of the pending runs, oldest first."""
        return sorted(self.folder.glob("2*.json"))

    def read(self, path: Path) -> PendingRun:
        """Read a pending run.

        Raises:
            ArtefactCorrupt: the file holds none.
        """
        try:
            return _json().validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ArtefactCorrupt(f"{path.name} is not a pending run") from error

    @contextmanager
    def lock(self, timeout_s: float) -> Iterator[None]:
        """Keep other processes from uploading; the lock goes with the process.

        Raises:
            AlreadyRunning: another process uploads, and for longer than `timeout_s`.
        """
        path = self.folder / ".lock"
        try:
            with translate_os_errors(path), FileLock(path, timeout=timeout_s):
                yield
        except Timeout:
            raise AlreadyRunning(
                "another process uploads to MLflow", hint="wait for it to end"
            ) from None
