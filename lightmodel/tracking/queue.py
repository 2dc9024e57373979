"""What is to be told to tracking, kept on disk until it was delivered."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lightmodel.errors import AlreadyRunning, ArtefactCorrupt
from lightmodel.store.files import told, write_whole
from lightmodel.store.manifest import json_bytes, read_json
from lightmodel.tracking.records import Destination, RunRecord, Standing

_FORMAT = 1
_LOCK = ".lock"


@dataclass(frozen=True)
class Letter:
    """Something to tell, and where it belongs."""

    content: RunRecord | Standing
    to: Destination

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        if isinstance(self.content, RunRecord):
            return f"{self.content.kind} {self.content.key}"
        return f"champion {self.content.champion or 'none'}"


class Outbox:
    """A folder with one JSON file for each letter, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, letter: Letter) -> Path:
        """Keep a letter, whole or not at all.

        Raises:
            LightModelError: the folder cannot be written to, or the disk is full.
        """
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(3)}.json"
        with told(self.folder / name):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / name, json_bytes(_written(letter)))
        return self.folder / name

    def waiting(self) -> list[Path]:
        """Give what was not delivered, oldest first."""
        return sorted(self.folder.glob("2*.json"))

    def read(self, path: Path) -> Letter:
        """Read a letter.

        Raises:
            ArtefactCorrupt: the file is none.
        """
        try:
            return _read(read_json(path.read_bytes(), path.name))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ArtefactCorrupt(f"{path.name} is no record of a run") from error

    @contextmanager
    def delivering(self, patience_s: float) -> Iterator[None]:
        """Be the only one who delivers.

        Raises:
            AlreadyRunning: another process does, and for longer than `patience_s`.
        """
        with told(self.folder / _LOCK):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK)
            try:
                lock.acquire(timeout=patience_s)
            except Timeout:
                raise AlreadyRunning(
                    "another process delivers to tracking", hint="wait for it to end"
                ) from None
        try:
            yield
        finally:
            lock.release()


def _written(letter: Letter) -> dict[str, Any]:
    record = asdict(letter.content)
    if isinstance(letter.content, RunRecord):
        record["files"] = [str(path.absolute()) for path in letter.content.files]
        version = letter.content.version
        record["version"] = str(version.absolute()) if version else None
        record["parameters"] = json.loads(json.dumps(record["parameters"], default=str))
    what = "run" if isinstance(letter.content, RunRecord) else "standing"
    return {"format": _FORMAT, "what": what, "to": asdict(letter.to), "content": record}


def _read(content: dict[str, Any]) -> Letter:
    if content["format"] != _FORMAT:
        raise ValueError(content["format"])
    destination = Destination(**content["to"])
    record = content["content"]
    if content["what"] == "standing":
        return Letter(Standing(**record), destination)
    record["files"] = tuple(Path(path) for path in record["files"])
    record["version"] = Path(record["version"]) if record["version"] else None
    record["curves"] = {
        name: tuple((at, value) for at, value in points if value is not None)
        for name, points in record["curves"].items()
    }
    record["metrics"] = {
        name: value for name, value in record["metrics"].items() if value is not None
    }
    return Letter(RunRecord(**record), destination)
