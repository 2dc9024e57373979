"""The section `flows` of `config.toml`: the chain, tuning and drift as flows of Prefect."""

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from lightmodel.config.base import Section
from lightmodel.config.durations import parse_duration

FlowName = Literal["chain", "tune", "drift"]

_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# name, smallest and largest number, and names of numbers from the smallest on
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)


def _cron(value: str) -> str:
    parts = value.split()
    if value and len(parts) != len(_FIELDS):
        raise ValueError('write five fields, as in "0 4 * * *"; empty means no schedule')
    for text, (name, low, high, names) in zip(parts, _FIELDS, strict=False):
        if not all(_is_part(one, low, high, names) for one in text.split(",")):
            raise ValueError(f"the {name}, {text!r}, is not *, or one of {low} to {high}")
    return value


def _is_part(text: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    match = _PART.fullmatch(text.lower())
    if match is None or match[3] == "0":
        return False
    numbers = [_number(one, low, names) for one in (match[1], match[2]) if one]
    return all(low <= one <= high for one in numbers) and numbers == sorted(numbers)


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    if text in names:
        return low + names.index(text)
    return int(text) if text.isdecimal() else -1


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError):
        raise ValueError("write the name of a time zone, such as UTC or Europe/Berlin") from None
    return value


def _delay(value: str) -> str:
    if parse_duration(value) is None:
        raise ValueError("write a duration such as 30s or 5m")
    return value


class FlowsSection(Section):
    """The chain, tuning and drift as flows of Prefect: `python -m lightmodel flows`."""

    serve: tuple[FlowName, ...] = Field(
        ("chain", "tune", "drift"),
        min_length=1,
        description="The flows that `flows serve` offers to Prefect's server.",
    )
    chain_schedule: Annotated[str, AfterValidator(_cron)] = Field(
        "",
        description='When the flow "chain" starts, as cron: "0 4 * * *" is daily at four; empty: when '
        "somebody starts it.",
    )
    tune_schedule: Annotated[str, AfterValidator(_cron)] = Field(
        "", description='Likewise for the flow "tune".'
    )
    drift_schedule: Annotated[str, AfterValidator(_cron)] = Field(
        "", description='Likewise for the flow "drift".'
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "UTC", description="Time zone of the schedules, such as Europe/Berlin."
    )
    retries: int = Field(
        3,
        ge=0,
        le=100,
        description="Number of times that a stage is tried again after exit code 75, which says that an "
        "external service does not answer or another run is in progress; no other code is tried again.",
    )
    retry_delay: Annotated[str, AfterValidator(_delay)] = Field(
        "1m", description="Time before a stage is tried again, such as 30s or 5m."
    )
    name: str = Field(
        "light-model",
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of the deployments, as in light-model-chain/light-model: projects that share a "
        "server need different ones.",
    )
    port: int = Field(
        4200,
        ge=1,
        le=65535,
        description="Port of Prefect's page, where PREFECT_API_URL is not set and `flows serve` starts its "
        "own server; another one if it is taken.",
    )
    python: Path = Field(
        Path(".venv-prefect/bin/python"),
        description="Python of the environment that `make prefect` makes.",
    )

    @property
    def schedules(self) -> dict[str, str]:
        """The schedule of each flow that is served; "" where it has none."""
        return {name: getattr(self, f"{name}_schedule") for name in self.serve}

    @property
    def retry_delay_s(self) -> float:
        """The seconds before a stage is tried again."""
        return parse_duration(self.retry_delay) or 0.0
