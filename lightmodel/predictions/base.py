"""The rows of the prediction log, and the interface of the databases that store them."""

import re
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import compress
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from lightmodel.contract.cells import Mask
from lightmodel.predictions.shadows import PREDICTIONS, ShadowReader

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
SELECT answered, truth, CAST(prediction AS TEXT), CAST(probability AS TEXT)
FROM (
    SELECT id, {time} AS answered, prediction, probability, row_number()
        OVER (PARTITION BY id ORDER BY time DESC, request DESC, row DESC) AS place
    FROM predictions WHERE version = ? AND id IN (SELECT id FROM truths)
) AS answers JOIN truths USING (id)
WHERE place = 1 ORDER BY id
"""
_FEEDBACK = """
SELECT id, truth, CAST(features AS TEXT)
FROM (
    SELECT id, features, row_number()
        OVER (PARTITION BY id ORDER BY time DESC, request DESC, row DESC) AS place
    FROM predictions WHERE features IS NOT NULL AND id IN (SELECT id FROM truths)
) AS answers JOIN truths USING (id)
WHERE place = 1 ORDER BY id
"""
_COUNT_LABELLED = """
SELECT count(*) FROM truths
WHERE time >= {moment} AND EXISTS (SELECT 1 FROM predictions WHERE predictions.id = truths.id)
"""
_ROWS = """
SELECT request, row, {time}, version, id, CAST(prediction AS TEXT), CAST(probability AS TEXT),
       CAST(features AS TEXT), truth
FROM predictions LEFT JOIN (SELECT id, truth FROM truths) AS labels USING (id)
WHERE {time} LIKE ? ORDER BY time, request, row
"""

_WINDOW = "FROM predictions WHERE version = ? AND time >= {moment}"
_WINDOW_SIZE = f"SELECT count(*) {_WINDOW}"
_WINDOW_ROWS = f"""
SELECT {{time}}, CAST(prediction AS TEXT), CAST(probability AS TEXT), CAST(features AS TEXT)
{_WINDOW} AND {{sampled}}
"""
_COUNT_ROWS = "SELECT count(*) FROM predictions WHERE time < {moment}"
_UNANSWERED = """
time < {moment} AND NOT EXISTS (
    SELECT 1 FROM predictions WHERE predictions.id = truths.id AND time >= {moment}
)
"""
_COUNT_LABELS = "SELECT count(*) FROM truths WHERE {unanswered}"
_OLD_LABELS = "SELECT id FROM truths WHERE time < {moment} AND id > ? ORDER BY id LIMIT {limit}"
_DELETE_LABELS = """
DELETE FROM truths WHERE id IN (SELECT key FROM {pairs} AS pair) AND {unanswered}
"""

COLUMNS = ("request", "row", "time", "version", "id", "prediction", "probability", "features")
PRUNED_TOGETHER = 2_000  # rows; more would hold up the log
FOREVER = "9999-12-31T23:59:59.999999Z"
# The cells of COLUMNS: row counts from 1, time is UTC in ISO 8601, the last three are JSON texts.
Row = tuple[str, int, str, str, str | None, str, str, str | None]


class AnsweredRows(NamedTuple):
    """The rows of one answered request, in their order. They must not be changed afterwards.

    Attributes:
        request: the request's unique id.
        time: when it was answered, in UTC.
        version: the model version that answered; of a canary's request, that of each row.
        ids: the rows' ids, unchanged; None if the table has no id column.
        predictions: labels in their training type, or numbers.
        probabilities: p of the positive class, or {label: p} per row; None for regression.
        features: name → unchanged values (None where missing); None if they are not logged.
        numbers: those of the rows in the request; None if they are all of its rows.
    """

    request: str
    time: datetime
    version: str | Sequence[str]
    ids: Values | None
    predictions: Values
    probabilities: Values | None
    features: Mapping[str, Values] | None = None
    numbers: Sequence[int] | None = None


def id_text(value: object) -> str | None:
    """Return an id as the text that joins answers and labels, without NUL, which databases refuse."""
    return None if value is None else str(value).replace("\0", "\ufffd")


def characters(rows: Iterable[Row]) -> int:
    """Return the number of characters in the texts of rows: about their size in bytes."""
    return sum(len(cell) for row in rows for cell in row if isinstance(cell, str))


class Sink(ShadowReader):
    """The tables of answers and of labels in a database; for one thread at a time.

    Rows are written to and deleted from `table`, PREDICTIONS or SHADOWS; all else is read from the former,
    but for the methods of `ShadowReader`. (request, row) identifies a row. Rows written together are stored
    together or not at all, even if
    the process is killed. Stored rows are visible to the next call of any process.

    The first call opens the database; after an error the next one opens it again. `write` raises
    DataError if these rows can never be stored. Every method raises SourceUnavailable where a later call
    may succeed, and where somebody has to do something first: StorageFull, ArtefactCorrupt (the database
    is damaged) or ConfigError (it cannot be opened or written to).
    """

    _PAIRS: ClassVar[str]  # turns a JSON object into a table of key and value

    def __init__(self, table: str = PREDICTIONS) -> None:
        self.table = table

    def _on_table(self, sql: str) -> str:
        return sql.format(table=self.table)

    @property
    def _unanswered(self) -> str:
        return _UNANSWERED.format(moment=self._MOMENT)

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> int:
        """Store rows; return how many were added."""

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

    def labelled(self, version: str) -> list[tuple[str, str, Any, Any]]:
        """Return (time, label, prediction, probability) of each labelled id, in the order of the ids.

        The time is that of the answer. If this version answered an id several times, the last answer
        counts. A prediction is a label or a number; a probability is that of the positive class,
        {label: p}, or None for regression.
        """
        rows = self._select(_LABELLED.format(time=self._TIME), version)
        return [
            (time, label, orjson.loads(value), orjson.loads(score))
            for time, label, value, score in rows
        ]

    def feedback(self) -> Iterator[tuple[str, str, str]]:
        """Yield (id, label, features) of each labelled id with logged features, in the order of the ids.

        Features are a JSON text: those of the last answer that has some, by whatever model version.
        """
        yield from self._select(_FEEDBACK)

    def count_labelled(self, since: str) -> int:
        """Return the number of ids with an answer whose label has arrived since a time."""
        ((ids,),) = self._select(_COUNT_LABELLED.format(moment=self._MOMENT), since)
        return int(ids)

    def rows(self, day: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield the answers of a UTC day ("2026-01-03"; "" for all), oldest first.

        Each has the cells of COLUMNS, then the label or None; prediction, probability and features
        are JSON texts.
        """
        return self._select(_ROWS.format(time=self._TIME), f"{day}%")

    def window_size(self, version: str, since: str) -> int:
        """Return the number of rows that a model version has answered since a time."""
        ((rows,),) = self._select(_WINDOW_SIZE.format(moment=self._MOMENT), version, since)
        return int(rows)

    def window(
        self, version: str, since: str, every: int = 1
    ) -> Iterator[tuple[str, str, str, str | None]]:
        """Yield what a model version has answered since a time, one row in so many, in no order.

        Each has its time, and the JSON texts of prediction, probability and features (or None).
        """
        select = _WINDOW_ROWS.format(time=self._TIME, moment=self._MOMENT, sampled=self._SAMPLED)
        yield from self._select(select, version, since, str(every))

    def count_before(self, time: str) -> tuple[int, int]:
        """Return the numbers of answers from before a time, and of labels that lose their last one."""
        ((rows,),) = self._select(_COUNT_ROWS.format(moment=self._MOMENT), time)
        ((labels,),) = self._select(_COUNT_LABELS.format(unanswered=self._unanswered), time, time)
        return int(rows), int(labels)

    def delete_labels(self, time: str) -> Iterator[int]:
        """Delete labels from before a time without an answer since then; yield each batch's number."""
        select = _OLD_LABELS.format(moment=self._MOMENT, limit=PRUNED_TOGETHER)
        delete = _DELETE_LABELS.format(unanswered=self._unanswered, pairs=self._PAIRS)
        last = ""
        while ids := [key for (key,) in self._select(select, time, last)]:
            pairs = orjson.dumps(dict.fromkeys(ids)).decode()
            yield self._change(delete, pairs, time, time)
            last = ids[-1]

    @abstractmethod
    def delete_rows(self, before: str = FOREVER, most: int = sys.maxsize) -> Iterator[int]:
        """Delete the oldest answers, at most `most`, from before a time; yield each batch's number."""

    @abstractmethod
    def rows_beyond(self, size: int) -> int:
        """Return how many of the oldest answers to delete so that about `size` bytes stay."""

    @abstractmethod
    def oldest(self, skipped: int = 0) -> datetime | None:
        """Return the time of the oldest answer but for the `skipped` oldest ones; None if none is left."""

    @abstractmethod
    def shrink(self, stopped: Callable[[], bool]) -> None:
        """Return the room of deleted rows to the disk, as far as the database can while it is used."""

    @abstractmethod
    def close(self) -> None:
        """Close the database; the next call opens it again."""

    @abstractmethod
    def _change(self, sql: str, *values: str) -> int:
        """Run a statement, with `?` for each value, in a transaction; return the number of changed rows."""


_BLOCK_CELLS = 4_000  # encoding so many holds Python's global lock for about a millisecond
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # as JSON writes it
_JSON_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def encode(answered: AnsweredRows, rate: float = 1.0) -> Iterator[list[Row]]:
    """Yield the rows of a request in blocks, or a sample of them at `rate`.

    Whether a row is sampled depends only on the request's id and the row's number.

    Raises:
        TypeError: a value cannot be encoded as JSON.
    """
    total = len(answered.predictions)
    sampled = None
    if rate < 1:
        sampled = np.random.default_rng([*answered.request.encode()]).random(total) < rate
    step = max(1, _BLOCK_CELLS // (4 + len(answered.features or ())))
    for start in range(0, total, step):
        yield _rows(answered, slice(start, min(start + step, total)), sampled)


def _rows(answered: AnsweredRows, part: slice, sampled: Mask | None) -> list[Row]:
    def take(values: Values) -> Sequence[Any]:
        cells = values[part]
        plain = cells.tolist() if isinstance(cells, np.ndarray) else cells
        return plain if sampled is None else list(compress(plain, sampled[part]))

    request, time, version = answered.request, utc_text(answered.time), answered.version
    numbers = take(answered.numbers or range(1, part.stop + 1))
    nulls = [None] * len(numbers)
    versions = [version] * len(numbers) if isinstance(version, str) else take(version)
    features: Iterable[Any] = nulls
    if answered.features is not None:
        names, columns = tuple(answered.features), map(take, answered.features.values())
        features = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    cells = zip(
        numbers,
        versions,
        nulls if answered.ids is None else take(answered.ids),
        take(answered.predictions),
        nulls if answered.probabilities is None else take(answered.probabilities),
        features,
        strict=True,
    )
    return [
        (
            request,
            number,
            time,
            version,
            id_text(key),
            _json(prediction),
            _json(probability),
            None if values is None else _json(values),
        )
        for number, version, key, prediction, probability, values in cells
    ]


def utc_text(time: datetime) -> str:
    """Return a time as ISO 8601 in UTC, always with microseconds, so that texts sort like times."""
    text = orjson.dumps(time.astimezone(UTC), option=orjson.OPT_UTC_Z).decode()[1:-1]
    return text if time.microsecond else f"{text[:-1]}.000000Z"


def _json(value: object) -> str:
    """Return a value as JSON without NUL, which databases refuse."""
    text = orjson.dumps(value, option=_JSON_OPTIONS).decode()
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text
