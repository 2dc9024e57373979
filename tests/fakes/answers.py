"""Answered requests, for tests of the prediction log."""

from datetime import UTC, datetime
from typing import Any

from lightmodel.predictions.base import AnsweredRows, encode

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


def batch(*requests: AnsweredRows) -> str:
    """Return the requests as the batch that a sink gets."""
    objects = [block.data.decode() for rows in requests for block in encode(rows)]
    return f"[{','.join(objects)}]"
