"""The section `watch` of `config.toml`: how a model in service is watched."""

from pydantic import Field

from lightmodel.config.base import Section


class WatchSection(Section):
    """Watching a model in service: drift of what it is asked and answers."""

    window_days: float = Field(
        7.0, gt=0, description="Days of the prediction log that are compared with training."
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
