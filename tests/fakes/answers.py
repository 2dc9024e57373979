"""Answered requests, for tests of the prediction log."""

from datetime import UTC, datetime
from typing import Any

from lightmodel.predictions.lines import encode
from lightmodel.predictions.log import AnsweredRows

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


def lines(*requests: AnsweredRows) -> bytes:
    """A batch, as it reaches a sink."""
    return b"".join(line.data for rows in requests for line in encode(rows))
