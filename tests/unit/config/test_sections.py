"""Durations, and the time limit of a search."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.config import TuneSection
from lightmodel.config.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        (" 20m ", 1200),
        ("2h", 7200),
        ("1.5 h", 5400),
        ("7d", 604_800),
        ("0", 0),
    ],
)
def test_a_duration_is_a_number_with_an_optional_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "5w", "1e3", "5 m 3 s"])
def test_any_other_text_is_not_a_duration(text: str) -> None:
    assert parse_duration(text) is None


@given(st.floats(0, 1e6), st.sampled_from("smhd"))
def test_a_written_duration_is_read_back(amount: float, unit: str) -> None:
    seconds = parse_duration(f"{amount:.3f}{unit}")
    assert seconds == float(f"{amount:.3f}") * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]


def test_an_empty_timeout_is_infinite() -> None:
    assert TuneSection().timeout_s == math.inf
    assert TuneSection(timeout="2m").timeout_s == 120
