"""The section `tune` of `config.toml`."""

import math
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from lightmodel.config.base import Section

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration, which is written as 90, 90s, 20m or 2h.

    Raises:
        ValueError: it is written otherwise.
    """
    parts = _DURATION.fullmatch(duration.strip())
    if parts is None:
        raise ValueError("write a number of seconds, or such as 90s, 20m and 2h")
    return float(parts[1]) * _SECONDS[parts[2]]


def _check_duration(value: str) -> str:
    if value:
        seconds_of(value)
    return value


class RangeOverride(Section):
    """What a search may give to one parameter; what is not set stays as this project declares it."""

    low: float | None = None
    high: float | None = None
    log: bool | None = None
    type: Literal["int", "float"] | None = None


class TuneSection(Section):
    """How `python -m lightmodel tune` searches for better train.parameters."""

    trials: int = Field(
        50, ge=1, le=100_000, description="Of a study in all, whoever makes them and when."
    )
    timeout: Annotated[str, AfterValidator(_check_duration)] = Field(
        "",
        description="Most time for the search, such as 90s, 20m or 2h; empty: none.",
    )
    folds: int = Field(5, ge=2, le=100, description="Of a trial.")
    max_rounds: int = Field(2_000, ge=1, description="Of boosting in a fold of a trial.")
    patience: int = Field(
        50, ge=1, description="A fold of a trial ends after so many rounds without a better loss."
    )
    startup: int = Field(
        8,
        ge=1,
        description="Trials drawn at random before the search learns from them.",
    )
    keep_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="From the second fold on, a trial goes on only if it is among this best share of the "
        "trials that were finished, once four were; 1: all are finished.",
    )
    finalists: int = Field(
        5,
        ge=1,
        le=50,
        description="The best trials, which are cross-validated by train.folds in full.",
    )
    ranges: dict[str, RangeOverride | Literal[False]] = Field(
        {},
        description="Over those that `tune --ranges` shows, by LightGBM's names: "
        "num_leaves = {low = 2, high = 64}, or lambda_l1 = false to leave one alone.",
    )
    storage: SecretStr | None = Field(
        None,
        description="postgresql://user:password@host:5432/name, for studies that several machines "
        "share; not set: a file under store.work.",
    )

    @property
    def timeout_s(self) -> float:
        """Return the time for the search in seconds; infinity for none."""
        return seconds_of(self.timeout) if self.timeout else math.inf

    def folder(self, work: Path, name: str) -> Path:
        """Give the folder of a study's files."""
        return work / "studies" / name
