"""Durations in settings and options, such as `90s`, `20m`, `2h` or `7d`."""

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> float | None:
    """Return the seconds of a duration such as `90`, `90s`, `20m`, `2h` or `7d`; None for other texts."""
    match = _DURATION.fullmatch(text.strip())
    return float(match[1]) * _SECONDS[match[2]] if match else None


def duration(value: str) -> str:
    """Return a setting that is a duration or empty, as a validator.

    Raises:
        ValueError: it is neither.
    """
    if value and parse_duration(value) is None:
        raise ValueError("write a duration such as 90, 90s, 20m, 2h or 7d")
    return value
