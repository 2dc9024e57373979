"""Answered requests, for tests of the prediction log."""

from datetime import UTC, datetime
from typing import Any

from lightmodel.predictions.base import AnsweredRows, encode

VERSION = "20260101T000000000000Z-aaaaaa"
LATER = "20260102T000000000000Z-bbbbbb"


def at(second: int, day: int = 3) -> datetime:
    return datetime(2026, 1, day, 12, 0, second, tzinfo=UTC)


def answered(request: str, ids: list[str], probabilities: list[float], **more: Any) -> AnsweredRows:
    """Rows of a binary model that says yes from 0.5 on."""
    facts = {
        "time": at(0),
        "version": VERSION,
        "predictions": ["yes" if p >= 0.5 else "no" for p in probabilities],
        **more,
    }
    return AnsweredRows(request=request, ids=ids, probabilities=probabilities, **facts)


def batch(*requests: AnsweredRows) -> str:
    """A batch, as it reaches a sink."""
    objects = [block.data.decode() for rows in requests for block in encode(rows)]
    return f"[{','.join(objects)}]"
