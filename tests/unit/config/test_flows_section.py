"""Schedules as cron."""

import pytest
from pydantic import ValidationError

from lightmodel.config import FlowsSection


@pytest.mark.parametrize(
    "text",
    ["", "0 4 * * *", "*/15 0-6,20-23/2 1,15 jan-MAR mon", "59 23 31 12 7", "0 0 * * sun,tue-fri"],
)
def test_a_schedule_is_cron_in_five_fields(text: str) -> None:
    assert FlowsSection(chain_schedule=text, serve=("chain",)).schedules == {"chain": text}


@pytest.mark.parametrize(
    "text",
    [
        "daily",
        "0 4 * *",
        "0 4 * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "6-2 * * * *",
        "* * * monday *",
        ", * * * *",
    ],
)
def test_any_other_text_is_none(text: str) -> None:
    with pytest.raises(ValidationError):
        FlowsSection(drift_schedule=text)
