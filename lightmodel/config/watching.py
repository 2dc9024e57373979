"""The section `watch` of `config.toml`: how a model in service is watched."""

from pathlib import Path

from pydantic import Field

from lightmodel.config.base import Section


class WatchSection(Section):
    """Watching a model in service: drift of what it is asked and answers, and live quality."""

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
    evidently_python: Path = Field(
        Path(".venv-evidently/bin/python"),
        description="Python of the environment that `make evidently` makes, with which "
        "`drift --evidently FILE` writes Evidently's pages.",
    )
    evidently_timeout_s: float = Field(
        600.0, gt=0, description="Seconds that Evidently has for its pages."
    )
