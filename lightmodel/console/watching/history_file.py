"""What the service has measured in the last day, in a file that outlives the console."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from lightmodel.config.load import Loaded
from lightmodel.console.watching.snapshot import Snapshot
from lightmodel.errors import LightModelError
from lightmodel.files import translate_os_errors, write_atomic

logger = logging.getLogger(__name__)

_EACH_S = 60.0  # between two snapshots in the file
_KEPT_S = 86_400.0
_MAX_LINES = 2 * int(_KEPT_S / _EACH_S)  # then those are removed that are too old


class HistoryFile:
    """A file with a snapshot in each line, the oldest first; a disk that fails is logged once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._last = 0.0
        self._is_broken = False

    def read(self, now: float) -> tuple[Snapshot, ...]:
        """Return the snapshots of the last day, without lines that cannot be read."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:  # there is none yet
            return ()
        found = (_snapshot(line) for line in lines)
        return tuple(one for one in found if one and now - _KEPT_S <= one.time <= now)

    def add(self, snapshot: Snapshot) -> None:
        """Append a snapshot, unless the last one is younger than a minute."""
        if snapshot.time - self._last < _EACH_S:
            return
        self._last = snapshot.time
        try:
            if self._lines in {0, _MAX_LINES}:
                self._write_anew(snapshot)
            else:
                with translate_os_errors(self._path), self._path.open("ab") as file:
                    file.write(_line(snapshot))
            self._lines += 1
            self._is_broken = False
        except LightModelError as error:
            if not self._is_broken:
                logger.warning("what the page Watch shows is not kept: %s", error.message)
            self._is_broken = True

    def _write_anew(self, snapshot: Snapshot) -> None:
        """Write the file without what is too old, and with a last line that is whole."""
        kept = self.read(snapshot.time)
        with translate_os_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, b"".join(map(_line, (*kept, snapshot))))
        self._lines = len(kept)


def history_file(loaded: Loaded) -> HistoryFile | None:
    """Return the file for a console: in console.folder, or else in the project's store.work; else None."""
    folder = loaded.config.console.folder
    if folder is None and loaded.file.exists():
        folder = loaded.config.store.work / "console"
    if folder is None:
        return None
    service = hashlib.sha256(loaded.config.console.service_url.encode()).hexdigest()[:12]
    return HistoryFile(folder / f"history-{service}.jsonl")


@cache
def _snapshots() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot)


def _snapshot(line: bytes) -> Snapshot | None:
    try:
        return _snapshots().validate_json(line)
    except ValueError:
        return None


def _line(snapshot: Snapshot) -> bytes:
    """Return a snapshot as a line; columns without such a cell are left out."""
    missing, out_of_range = map(_counted, (snapshot.missing, snapshot.out_of_range))
    kept = replace(snapshot, missing=missing, out_of_range=out_of_range)
    return _snapshots().dump_json(kept) + b"\n"


def _counted(cells: Mapping[str, float]) -> dict[str, float]:
    return {column: count for column, count in cells.items() if count}
