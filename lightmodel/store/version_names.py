"""The names of versions: a UTC stamp to the microsecond, and six hexadecimal digits."""

import re
import secrets
from datetime import UTC, datetime

_STAMP = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{6}")


def new_version_name(created: datetime) -> str:
    """Return a name for a version that is created at this time, in UTC."""
    return f"{created.strftime(_STAMP)}-{secrets.token_hex(3)}"


def is_version_name(name: str) -> bool:
    """Return whether a name has the form of a version's name."""
    return _NAME.fullmatch(name) is not None


def created_at(name: str) -> datetime:
    """Return the time in the name of a version."""
    return datetime.strptime(name.partition("-")[0], _STAMP).replace(tzinfo=UTC)
