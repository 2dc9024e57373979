"""The prediction log as CSV files, one for each UTC day, for people without a data base."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import orjson
from filelock import FileLock, Timeout

from lightmodel.contract.task import label_name
from lightmodel.errors import DataError, LightModelError, SourceUnavailable
from lightmodel.predictions.base import Judged
from lightmodel.store.files import write_whole

_HEADER = ("request", "row", "time", "version", "id", "prediction", "probability", "features")
_TRUTHS = "truths.csv"
_TRUTH_HEADER = ("id", "truth", "time")
_LOCK, _STATE = ".csv.lock", ".csv.json"
_REMEMBERED = 4096  # batches; one comes a second time only soon after the first
_LOCK_S = 10.0
_LONGEST_CELL = 1 << 20  # features of ten thousand columns


class _State(TypedDict):
    """What is under way and what is done.

    `sizes` are those of the files that are being appended to: what a killed process left behind
    them is cut off. `batches` are hashes of those that are kept.
    """

    sizes: dict[str, int]
    batches: list[str]


class CsvSink:
    """Files `predictions-<day>.csv` and `truths.csv` in a folder; a sink for small logs.

    Rows of `predictions` are known again by the batch that they came in, not one by one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, lines: bytes) -> int:
        """Keep a batch; gives how many of its rows were not here before."""
        batch = hashlib.sha256(lines).hexdigest()
        texts, rows = _by_file(lines)
        with self._locked() as state:
            if batch in state["batches"]:
                return 0
            self._append(state, texts)
            state["batches"] = [*state["batches"][1 - _REMEMBERED :], batch]
            state["sizes"] = {}
            self._keep(state)
        return rows

    def add_truths(self, truths: Mapping[str, str], time: datetime) -> int:
        """Keep truths by id; gives how many ids the log has answers for."""
        moment = time.astimezone(UTC).isoformat()
        text = _csv((key, value, moment) for key, value in truths.items())
        with self._locked() as state:
            self._append(state, {_TRUTHS: text})
            state["sizes"] = {}
            self._keep(state)
            return len({row["id"] for row in self._rows()} & truths.keys())

    def answered(self) -> Mapping[str, int]:
        """Count the rows of each model version."""
        counts: dict[str, int] = {}
        with self._locked():
            for row in self._rows():
                counts[row["version"]] = counts.get(row["version"], 0) + 1
        return dict(sorted(counts.items()))

    def judged(self, version: str) -> Judged:
        """Give what a version answered last for each id that has a truth."""
        last: dict[str, dict[str, str]] = {}
        with self._locked():
            truths = {row["id"]: row["truth"] for row in _read(self._folder / _TRUTHS)}
            for row in self._rows():
                key = row["id"]
                if row["version"] == version and key in truths:
                    last[key] = max(last.get(key, row), row, key=_moment)
        rows = [last[key] for key in sorted(last)]
        return Judged(
            [row["prediction"] for row in rows],
            [orjson.loads(row["probability"] or b"null") for row in rows],
            [truths[row["id"]] for row in rows],
        )

    def close(self) -> None:
        """Nothing stays open."""

    def _rows(self) -> Iterator[dict[str, str]]:
        for path in sorted(self._folder.glob("predictions-*.csv")):
            yield from _read(path)

    def _append(self, state: _State, texts: Mapping[str, str]) -> None:
        paths = {name: self._folder / name for name in texts}
        state["sizes"] = {
            name: path.stat().st_size if path.exists() else 0 for name, path in paths.items()
        }
        self._keep(state)
        for name, path in paths.items():
            header = _TRUTH_HEADER if name == _TRUTHS else _HEADER
            with path.open("a", encoding="utf-8", newline="") as file:
                file.write((_csv([header]) if state["sizes"][name] == 0 else "") + texts[name])

    def _keep(self, state: _State) -> None:
        write_whole(self._folder / _STATE, orjson.dumps(state))

    @contextmanager
    def _locked(self) -> Iterator[_State]:
        try:
            with FileLock(self._folder / _LOCK, timeout=_LOCK_S):
                yield self._recovered()
        except Timeout:
            raise SourceUnavailable("another process holds the log's CSV files") from None
        except (OSError, ValueError, csv.Error, LightModelError) as error:
            cause = error.__cause__ or error
            reason = getattr(cause, "strerror", None) or type(cause).__name__
            raise SourceUnavailable(
                f"the log's CSV files cannot be used: {reason}",
                hint="check the disk and who owns log.folder; rows wait in the spool until then",
            ) from error

    def _recovered(self) -> _State:
        """Cut off what a killed process or a full disk left half written."""
        try:
            state: _State = orjson.loads((self._folder / _STATE).read_bytes())
        except FileNotFoundError:
            return {"sizes": {}, "batches": []}
        for name, size in state["sizes"].items():
            path = self._folder / name
            if path.exists() and path.stat().st_size > size:
                with path.open("r+b") as file:
                    file.truncate(size)
        return state


def _by_file(lines: bytes) -> tuple[dict[str, str], int]:
    """Turn a batch into each day's lines of CSV, and count its rows."""
    texts: dict[str, list[str]] = {}
    total = 0
    try:
        for line in lines.splitlines():
            head = orjson.loads(line)
            name = f"predictions-{head['time'][:10]}.csv"
            texts.setdefault(name, []).append(_csv(_cells(head)))
            total += len(head["rows"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("the segment is not JSON throughout, or holds other lines") from error
    return {name: "".join(parts) for name, parts in texts.items()}, total


def _cells(head: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    request, time, version = head["request"], head["time"], head["version"]
    for row, key, value, probability, features in head["rows"]:
        yield request, row, time, version, key, _cell(value), _json(probability), _json(features)


def _csv(rows: Any) -> str:  # noqa: ANN401 — what csv takes
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> str:  # noqa: ANN401 — a label or a number
    return "" if value is None else label_name(value)


def _json(value: object) -> str:
    return "" if value is None else orjson.dumps(value).decode()


def _moment(row: Mapping[str, str]) -> tuple[str, str, int]:
    return row["time"], row["request"], int(row["row"])


def _read(path: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(_LONGEST_CELL)
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
