"""Times in stored files: texts in ISO format with a zone, which a wrong clock may have written."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

_CLOCKS_DIFFER = timedelta(minutes=5)


def _checked(text: str) -> str:
    if text and datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time needs a zone")
    return text


def _required(text: str) -> str:
    if not text:
        raise ValueError("a time is missing")
    return _checked(text)


Time = Annotated[str, AfterValidator(_required)]
TimeOrNever = Annotated[str, AfterValidator(_checked)]


def is_ahead(time: datetime, now: datetime) -> bool:
    """Return whether a time is so far after now that a clock must have been wrong."""
    return time > now + _CLOCKS_DIFFER
