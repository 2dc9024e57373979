"""Scores that were no answer, and how they are read beside the answers to the same rows."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

import orjson

PREDICTIONS, SHADOWS = "predictions", "shadow_predictions"

_SHADOWED = """
SELECT answers.version, shadows.version, count(*), sum(failed)
FROM (
    SELECT request, row, version, CASE CAST(prediction AS TEXT) WHEN 'null' THEN 1 ELSE 0 END AS failed
    FROM shadow_predictions WHERE time >= {moment}
) AS shadows
JOIN predictions AS answers ON answers.request = shadows.request AND answers.row = shadows.row
GROUP BY answers.version, shadows.version ORDER BY answers.version, shadows.version
"""
_WINDOW = """
SELECT CAST(answers.prediction AS TEXT), CAST(answers.probability AS TEXT),
    CAST(shadows.prediction AS TEXT), CAST(shadows.probability AS TEXT)
FROM (
    SELECT request, row, prediction, probability FROM shadow_predictions
    WHERE version = ? AND time >= {moment} AND CAST(prediction AS TEXT) <> 'null' AND {sampled}
) AS shadows
JOIN predictions AS answers ON answers.request = shadows.request AND answers.row = shadows.row
WHERE answers.version = ?
"""
_LABELLED = """
SELECT answered, truth, CAST(prediction AS TEXT), CAST(probability AS TEXT),
    CAST(other AS TEXT), CAST(score AS TEXT)
FROM (
    SELECT shadows.id, answered, answers.prediction, answers.probability,
        shadows.prediction AS other, shadows.probability AS score, row_number() OVER (
            PARTITION BY shadows.id ORDER BY answered DESC, shadows.request DESC, shadows.row DESC
        ) AS place
    FROM (
        SELECT request, row, id, {time} AS answered, prediction, probability FROM shadow_predictions
        WHERE version = ? AND CAST(prediction AS TEXT) <> 'null' AND id IN (SELECT id FROM truths)
    ) AS shadows
    JOIN predictions AS answers ON answers.request = shadows.request AND answers.row = shadows.row
    WHERE answers.version = ?
) AS pairs JOIN truths USING (id) WHERE place = 1 ORDER BY id
"""
_FAILURES = """
SELECT count(*) FROM shadow_predictions WHERE version = ? AND CAST(prediction AS TEXT) = 'null'
"""

Answer = tuple[Any, Any]  # prediction, probability


class ShadowedRows(NamedTuple):
    """Rows that one version answered and another one scored as well.

    Attributes:
        served: the version that answered.
        challenger: the other one.
        rows: number of the rows.
        failed: number of those that the challenger could not score.
    """

    served: str
    challenger: str
    rows: int
    failed: int


class ShadowReader(ABC):
    """Reads the table SHADOWS: scores of rows that another version answered.

    (request, row) and time are those of the answer. The prediction is null where the version failed.
    """

    _TIME: ClassVar[str]  # an answer's time as text in ISO 8601
    _MOMENT: ClassVar[str]  # turns such a text into a time
    _SAMPLED: ClassVar[str]  # holds for one row in so many

    def shadowed(self, since: str) -> list[ShadowedRows]:
        """Return the number of rows that pairs of versions have scored since a time."""
        return [
            ShadowedRows(*row) for row in self._select(_SHADOWED.format(moment=self._MOMENT), since)
        ]

    def shadow_window(
        self, pair: ShadowedRows, since: str, every: int = 1
    ) -> Iterator[tuple[Answer, Answer]]:
        """Yield the answer and the challenger's score since a time, of one row in so many, in no order."""
        select = _WINDOW.format(moment=self._MOMENT, sampled=self._SAMPLED)
        values = (pair.challenger, since, str(every), pair.served)
        yield from map(_pair, self._select(select, *values))

    def shadow_labelled(self, pair: ShadowedRows) -> list[tuple[str, str, Answer, Answer]]:
        """Return (time, label, answer, challenger's score) of each labelled id, in the order of the ids.

        Of an id that was scored several times, the last one counts.
        """
        select = _LABELLED.format(time=self._TIME)
        rows = self._select(select, pair.challenger, pair.served)
        return [(time, label, *_pair(cells)) for time, label, *cells in rows]

    def failures(self, version: str) -> int:
        """Return the number of rows that a version could not score, so that another one answered."""
        ((rows,),) = self._select(_FAILURES, version)
        return int(rows)

    @abstractmethod
    def _select(self, sql: str, *values: str) -> Iterator[tuple[Any, ...]]:
        """Stream the rows of a query, with `?` for each value."""


def _pair(cells: Iterable[str]) -> tuple[Answer, Answer]:
    served, score, challenger, other = map(orjson.loads, cells)
    return (served, score), (challenger, other)
