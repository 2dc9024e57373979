"""What the prediction log takes, and the two tables in which a database keeps it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import compress
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import orjson

from lightmodel.contract.cells import Mask

Values = Sequence[Any] | npt.NDArray[Any]

_ADD_TRUTHS = """
INSERT INTO truths SELECT key, value, ? FROM {pairs} WHERE true
ON CONFLICT (id) DO UPDATE SET truth = excluded.truth, time = excluded.time
"""
_MATCHED = """
SELECT count(*) FROM {pairs} AS pair WHERE EXISTS (SELECT 1 FROM predictions WHERE id = pair.key)
"""
_ANSWERED = "SELECT version, count(*) FROM predictions GROUP BY version ORDER BY version"
_LABELLED = """
SELECT truth, CAST(prediction AS TEXT), CAST(probability AS TEXT)
FROM (
    SELECT id, prediction, probability, row_number()
        OVER (PARTITION BY id ORDER BY time DESC, request DESC, row DESC) AS place
    FROM predictions WHERE version = ? AND id IN (SELECT id FROM truths)
) AS answers JOIN truths USING (id)
WHERE place = 1 ORDER BY id
"""
_ROWS = """
SELECT request, row, {time}, version, id, CAST(prediction AS TEXT), CAST(probability AS TEXT),
       CAST(features AS TEXT), truth
FROM predictions LEFT JOIN (SELECT id, truth FROM truths) AS labels USING (id)
WHERE {time} LIKE ? ORDER BY time, request, row
"""

COLUMNS = ("request", "row", "time", "version", "id", "prediction", "probability", "features")


@dataclass(frozen=True)
class AnsweredRows:
    """The rows of one answered request, in their order. Nobody changes them afterwards.

    Attributes:
        request: its id, unique.
        time: of the answer, UTC.
        version: of the model that answered.
        ids: of the rows, as they came; None when the table has no id column.
        predictions: labels in their training type, or numbers.
        probabilities: of the positive class, or {label: p} per row; None for regression.
        features: name → values as they came (None where missing); None when not to be logged.
    """

    request: str
    time: datetime
    version: str
    ids: Values | None
    predictions: Values
    probabilities: Values | None
    features: Mapping[str, Values] | None = None


def id_text(value: object) -> str | None:
    """Return an id as text, so that an answer and its late label meet; databases take no NUL."""
    return None if value is None else str(value).replace("\0", "\ufffd")


class Sink(ABC):
    """The tables `predictions` and `truths` of a database. Used by one thread at a time.

    A batch is a JSON list of objects with `request`, `time` (UTC, ISO 8601), `version` and `rows`:
    lists of row (from 1), id (text or null), prediction, probability, features (object or null).
    (request, row) names a row for good. A batch is kept whole or not at all, whenever the process
    is killed. What is kept is visible to the next call of any process.

    Nothing is opened before the first call. Every method raises SourceUnavailable when trying again
    later may help (and then works again by itself), `write` DataError when this batch never will be
    taken.
    """

    _WRITE: ClassVar[str]  # takes a batch
    _PAIRS: ClassVar[str]  # a JSON object as a table of key and value
    _TIME: ClassVar[str]  # of an answer, as text in ISO 8601

    def write(self, batch: str) -> int:
        """Keep a batch; return how many rows that added."""
        return self._change(self._WRITE, batch)

    def add_ground_truth(self, truths: Mapping[str, str], time: datetime) -> int:
        """Keep labels by id, over earlier ones; return how many ids the log has answers for.

        A label may come before its answer.
        """
        pairs = orjson.dumps(dict(truths)).decode()
        moment = time.astimezone(UTC).isoformat()
        self._change(_ADD_TRUTHS.format(pairs=self._PAIRS), moment, pairs)
        ((matched,),) = self._select(_MATCHED.format(pairs=self._PAIRS), pairs)
        return int(matched)

    def answered(self) -> Mapping[str, int]:
        """Count the rows of each model version, oldest version first."""
        return dict(self._select(_ANSWERED))

    def labelled(self, version: str) -> list[tuple[str, Any, Any]]:
        """Return ground truth, prediction and probability by id, where the ground truth is known.

        Of several answers of this version to an id the last one counts. A prediction is a label or
        a number; a probability is that of the positive class, {label: p}, or None for regression.
        """
        rows = self._select(_LABELLED, version)
        return [(truth, orjson.loads(label), orjson.loads(score)) for truth, label, score in rows]

    def rows(self, day: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield the answers of a UTC day ("2026-01-03"; "" for all), oldest first.

        Each is the cells of COLUMNS and the ground truth or None; prediction, probability and
        features are JSON texts.
        """
        return self._select(_ROWS.format(time=self._TIME), f"{day}%")

    @abstractmethod
    def close(self) -> None:
        """Close what is open; the next call opens it again."""

    @abstractmethod
    def _change(self, sql: str, *values: str) -> int:
        """Run a statement, with `?` for each value, in a transaction; return the rows it changed."""

    @abstractmethod
    def _select(self, sql: str, *values: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, with `?` for each value, without keeping them in memory."""


_CELLS = 10_000  # of a block: encoding it keeps other threads waiting for a millisecond
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # as JSON writes it; no database takes it
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class Block:
    """One JSON object of a batch (see `Sink`) and how many rows it holds."""

    data: bytes
    rows: int


def encode(answered: AnsweredRows, rate: float = 1.0) -> Iterator[Block]:
    """Yield the rows of a request in blocks, or the share `rate` of them.

    Whether a row is in the share depends on the request's id and the row's number alone.
    """
    total = len(answered.predictions)
    chosen = None
    if rate < 1:
        chosen = np.random.default_rng([*answered.request.encode()]).random(total) < rate
    step = max(1, _CELLS // (4 + len(answered.features or ())))
    for start in range(0, total, step):
        stop = min(start + step, total)
        rows = _rows(answered, start, stop, None if chosen is None else chosen[start:stop])
        if rows:
            yield Block(_object(answered, rows), len(rows))


def _object(answered: AnsweredRows, rows: list[tuple[Any, ...]]) -> bytes:
    head = {
        "request": answered.request,
        "time": answered.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "version": answered.version,
        "rows": rows,
    }
    data = orjson.dumps(head, option=_OPTIONS)
    return _NUL.sub(rb"\1\\ufffd", data) if b"\\u0000" in data else data


def _rows(
    answered: AnsweredRows, start: int, stop: int, chosen: Mask | None
) -> list[tuple[Any, ...]]:
    def part(values: Values) -> list[Any]:
        taken = values[start:stop]
        plain = taken.tolist() if isinstance(taken, np.ndarray) else taken
        return list(plain if chosen is None else compress(plain, chosen))

    numbers = part(range(1, stop + 1))
    nothing = [None] * len(numbers)
    ids = nothing if answered.ids is None else map(id_text, part(answered.ids))
    predictions = part(answered.predictions)
    probabilities = nothing if answered.probabilities is None else part(answered.probabilities)
    features: Iterable[Any] = nothing
    if answered.features is not None:
        names, cells = tuple(answered.features), map(part, answered.features.values())
        features = (dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True))
    return list(zip(numbers, ids, predictions, probabilities, features, strict=True))
