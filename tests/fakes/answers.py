"""Answered requests, for tests of the prediction log."""

from datetime import UTC, datetime
from typing import Any

from lightmodel.predictions.base import AnsweredRows, Row, encode

VERSION = "20260101T000000000000Z-aaaaaa"
LATER = "20260102T000000000000Z-bbbbbb"


def at(second: int, day: int = 3) -> datetime:
    return datetime(2026, 1, day, 12, 0, second, tzinfo=UTC)


def answered(request: str, ids: list[str], probabilities: list[float], **more: Any) -> AnsweredRows:
    """Return answered rows of a binary model with the decision threshold 0.5."""
    facts = {
        "time": at(0),
        "version": VERSION,
        "predictions": ["yes" if p >= 0.5 else "no" for p in probabilities],
        **more,
    }
    return AnsweredRows(request=request, ids=ids, probabilities=probabilities, **facts)


def rows_of(*requests: AnsweredRows) -> list[Row]:
    """Return the rows of requests as a sink gets them."""
    return [row for answered in requests for rows in encode(answered) for row in rows]
