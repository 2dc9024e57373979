"""The section `watch` of `config.toml`: how a model in service is watched, and when it is trained again."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from lightmodel.config.base import Section
from lightmodel.config.durations import parse_duration

TriggerName = Literal["schedule", "new_data", "drift", "quality", "labels"]


def _span(value: str) -> str:
    if parse_duration(value) is None:
        raise ValueError("write a duration such as 90s, 20m, 2h or 7d")
    return value


def _schedule(value: str) -> str:
    if value and parse_duration(value) is None and _time_of_day(value) is None:
        raise ValueError("write a duration such as 12h or 7d, or a time of day such as 04:00")
    if parse_duration(value) == 0:
        raise ValueError("it must be longer than 0; empty means no schedule")
    return value


def _time_of_day(text: str) -> time | None:
    try:
        return time.fromisoformat(text) if ":" in text else None
    except ValueError:
        return None


class WatchSection(Section):
    """Watching a model in service: drift and live quality, and when `watch` trains again."""

    window_days: float = Field(
        7.0,
        gt=0,
        description="Days of the prediction log that are compared with training; and days up to the last "
        "labelled answer by which live quality is judged.",
    )
    min_rows: int = Field(
        500,
        ge=30,
        description="Number of rows below which there is no verdict: too few rows differ by chance.",
    )
    max_rows: int = Field(
        50_000,
        ge=1_000,
        description="Number of rows that are compared; of more, one in so many is taken.",
    )
    max_drift: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Largest effect that is no drift yet: KS distance of a column's numbers, PSI of its "
        "categories, or change in its share of missing or of unseen values.",
    )
    alpha: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="Probability of a false alarm among all columns together, where nothing has changed.",
    )
    min_labels: int = Field(
        100, ge=10, description="Number of labelled rows below which live quality is not judged."
    )
    max_regression: float = Field(
        0.05,
        ge=0,
        description="How much worse than in testing the gate's metric may be in service, as a share of its "
        "value in testing; gate.minimum holds as well.",
    )
    alert_token: SecretStr | None = Field(
        None,
        description="Token that Alertmanager sends to `python -m lightmodel alerts`; not set: anybody who "
        "reaches its port may send alerts.",
    )
    train_on: tuple[TriggerName, ...] = Field(
        ("schedule", "new_data", "drift", "quality", "labels"),
        description="What makes `python -m lightmodel watch` start a training: the time (schedule), "
        "another table at data.source (new_data), drift, live quality below its bound (quality), or "
        "labelled rows (labels). Empty: it only measures.",
    )
    schedule: Annotated[str, AfterValidator(_schedule)] = Field(
        "",
        description="When `watch` trains at the latest: so long after the last training, such as 12h or "
        "7d, or daily at a time in UTC, such as 04:00; empty: no schedule.",
    )
    min_new_labels: int = Field(
        500,
        ge=1,
        description="Number of labelled rows, arrived since the last training, after which `watch` trains.",
    )
    cooldown: Annotated[str, AfterValidator(_span)] = Field(
        "1h",
        description="Time after a training in which `watch` starts no other, such as 30m or 1d. A cause "
        "that a training did not remove waits as long again, then twice as long, up to a day.",
    )
    measure_every: Annotated[str, AfterValidator(_span)] = Field(
        "15m",
        description="Time between two measurements of drift and live quality by `watch`; 0: in each round.",
    )
    evidently_python: Path = Field(
        Path(".venv-evidently/bin/python"),
        description="Python of the environment that `make evidently` makes, with which "
        "`drift --evidently FILE` writes Evidently's pages.",
    )
    evidently_timeout_s: float = Field(
        600.0, gt=0, description="Seconds that Evidently has for its pages."
    )

    @property
    def schedule_s(self) -> float | None:
        """The seconds between two trainings; None if the schedule is a time of day, or none."""
        return parse_duration(self.schedule)

    @property
    def schedule_at(self) -> time | None:
        """The time of day, in UTC, of the daily training; None if there is none."""
        return _time_of_day(self.schedule)

    @property
    def cooldown_s(self) -> float:
        """The cool-down in seconds."""
        return parse_duration(self.cooldown) or 0.0

    @property
    def measure_every_s(self) -> float:
        """The seconds between two measurements."""
        return parse_duration(self.measure_every) or 0.0
