"""The rows of the prediction log, and the interface of the databases that store them."""

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

_UPSERT_LABELS = """
INSERT INTO truths SELECT key, value, ? FROM {pairs} WHERE true
ON CONFLICT (id) DO UPDATE SET truth = excluded.truth, time = excluded.time
"""
_MATCHED = """
SELECT count(*) FROM {pairs} AS pair WHERE EXISTS (SELECT 1 FROM predictions WHERE id = pair.key)
"""
_ROW_COUNTS = "SELECT version, count(*) FROM predictions GROUP BY version ORDER BY version"
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
    """The rows of one answered request, in their order. They must not be changed afterwards.

    Attributes:
        request: the request's unique id.
        time: when it was answered, in UTC.
        version: the model version that answered.
        ids: the rows' ids, unchanged; None if the table has no id column.
        predictions: labels in their training type, or numbers.
        probabilities: p of the positive class, or {label: p} per row; None for regression.
        features: name → unchanged values (None where missing); None if they are not logged.
    """

    request: str
    time: datetime
    version: str
    ids: Values | None
    predictions: Values
    probabilities: Values | None
    features: Mapping[str, Values] | None = None


def id_text(value: object) -> str | None:
    """Return an id as the text that joins answers and labels, without NUL, which databases refuse."""
    return None if value is None else str(value).replace("\0", "\ufffd")


class Sink(ABC):
    """The tables `predictions` and `truths` (labels) of a database; for one thread at a time.

    A batch is a JSON list of objects with `request`, `time` (UTC, ISO 8601), `version` and `rows`:
    lists of row (from 1), id (text or null), prediction, probability, features (object or null).
    (request, row) identifies a row. A batch is stored whole or not at all, even if the process is
    killed. Stored rows are visible to the next call of any process.

    The first call opens the database. Every method raises SourceUnavailable if a later call may
    succeed (it reconnects by itself), and `write` raises DataError if it can never store this batch.
    """

    _WRITE: ClassVar[str]  # inserts a batch
    _PAIRS: ClassVar[str]  # turns a JSON object into a table of key and value
    _TIME: ClassVar[str]  # an answer's time as text in ISO 8601

    def write(self, batch: str) -> int:
        """Store a batch; return the number of rows it added."""
        return self._change(self._WRITE, batch)

    def add_ground_truth(self, labels: Mapping[str, str], time: datetime) -> int:
        """Store labels by id, replacing earlier ones; return how many ids the log has answers for.

        A label may come before its answer.
        """
        pairs = orjson.dumps(dict(labels)).decode()
        moment = time.astimezone(UTC).isoformat()
        self._change(_UPSERT_LABELS.format(pairs=self._PAIRS), moment, pairs)
        ((matched,),) = self._select(_MATCHED.format(pairs=self._PAIRS), pairs)
        return int(matched)

    def answered(self) -> Mapping[str, int]:
        """Return the number of answered rows by model version, oldest version first."""
        return dict(self._select(_ROW_COUNTS))

    def labelled(self, version: str) -> list[tuple[str, Any, Any]]:
        """Return (label, prediction, probability) of each labelled id, in the order of the ids.

        If this version answered an id several times, the last answer counts. A prediction is a label
        or a number; a probability is that of the positive class, {label: p}, or None for regression.
        """
        rows = self._select(_LABELLED, version)
        return [(label, orjson.loads(value), orjson.loads(score)) for label, value, score in rows]

    def rows(self, day: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield the answers of a UTC day ("2026-01-03"; "" for all), oldest first.

        Each has the cells of COLUMNS, then the label or None; prediction, probability and features
        are JSON texts.
        """
        return self._select(_ROWS.format(time=self._TIME), f"{day}%")

    @abstractmethod
    def close(self) -> None:
        """Close the database; the next call opens it again."""

    @abstractmethod
    def _change(self, sql: str, *values: str) -> int:
        """Run a statement, with `?` for each value, in a transaction; return the number of changed rows."""

    @abstractmethod
    def _select(self, sql: str, *values: str) -> Iterator[tuple[Any, ...]]:
        """Stream the rows of a query, with `?` for each value."""


_BLOCK_CELLS = 10_000  # encoding so many holds Python's global lock for about a millisecond
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")  # as JSON writes it; databases refuse it
_JSON_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class Block:
    """One JSON object of a batch (see `Sink`), and its number of rows."""

    data: bytes
    rows: int


def encode(answered: AnsweredRows, rate: float = 1.0) -> Iterator[Block]:
    """Yield the rows of a request in blocks, or a sample of them at `rate`.

    Whether a row is sampled depends only on the request's id and the row's number.
    """
    total = len(answered.predictions)
    sampled = None
    if rate < 1:
        sampled = np.random.default_rng([*answered.request.encode()]).random(total) < rate
    step = max(1, _BLOCK_CELLS // (4 + len(answered.features or ())))
    for start in range(0, total, step):
        stop = min(start + step, total)
        rows = _rows(answered, start, stop, None if sampled is None else sampled[start:stop])
        if rows:
            yield Block(_json_object(answered, rows), len(rows))


def _json_object(answered: AnsweredRows, rows: list[tuple[Any, ...]]) -> bytes:
    content = {
        "request": answered.request,
        "time": answered.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "version": answered.version,
        "rows": rows,
    }
    data = orjson.dumps(content, option=_JSON_OPTIONS)
    return _NUL.sub(rb"\1\\ufffd", data) if b"\\u0000" in data else data


def _rows(
    answered: AnsweredRows, start: int, stop: int, sampled: Mask | None
) -> list[tuple[Any, ...]]:
    def take(values: Values) -> list[Any]:
        cells = values[start:stop]
        plain = cells.tolist() if isinstance(cells, np.ndarray) else cells
        return list(plain if sampled is None else compress(plain, sampled))

    numbers = take(range(1, stop + 1))
    nulls = [None] * len(numbers)
    ids = nulls if answered.ids is None else map(id_text, take(answered.ids))
    predictions = take(answered.predictions)
    probabilities = nulls if answered.probabilities is None else take(answered.probabilities)
    features: Iterable[Any] = nulls
    if answered.features is not None:
        names, columns = tuple(answered.features), map(take, answered.features.values())
        features = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return list(zip(numbers, ids, predictions, probabilities, features, strict=True))
