"""Numbers and names as a reader wants them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.task import METRICS
from lightmodel.report import formatting as words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.873123, "0.8731"),
        (0.0886, "0.0886"),
        (1.0, "1.000"),
        (0.99999, "1.000"),
        (0.099999, "0.100"),
        (58.254, "58.25"),
        (0.0, "0"),
        (-0.0123, "−0.0123"),  # noqa: RUF001 — the sign that is shown
        (56_469_492.3, "56,469,492"),
        (1.2345e15, "1.234 × 10¹⁵"),  # noqa: RUF001 — the sign that is shown
        (3.21e-7, "3.21 × 10⁻⁷"),  # noqa: RUF001 — the sign that is shown
        (math.inf, "∞"),
        (math.nan, words.NO_VALUE),
        (None, words.NO_VALUE),
    ],
)
def test_a_number_is_written_with_its_significant_digits(value: float | None, text: str) -> None:
    assert words.number(value) == text


@given(st.floats(1e-4, 1e8))
def test_a_written_number_is_close_to_the_number(value: float) -> None:
    assert float(words.number(value).replace(",", "")) == pytest.approx(value, rel=6e-3)


@given(st.floats())
def test_every_number_can_be_written(value: float) -> None:
    assert words.number(value)
    assert words.compact(value)
    assert words.percent(value)
    assert words.p_value(value)
    assert words.whole(value)


def test_a_difference_is_that_of_the_numbers_as_shown() -> None:
    assert words.difference(0.8731, 0.8602) == "+0.0129"
    assert words.difference(5.99969, 5.99600) == "+0.004"
    assert words.difference(56_469_492.3, 59_292_966.1)[1:] == "2,823,474"
    assert words.difference(0.87316, 0.87314) == "+0.0001"
    assert words.difference(0.10001, 0.09998) == ""
    assert words.difference(0.87310001, 0.87310002) == ""
    assert words.difference(math.nan, 0.5) == words.NO_VALUE
    assert words.difference(math.inf, 0.5) == "+∞"
    assert words.difference(2e-9, 1e-9).startswith("+1.00")


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_difference_has_the_sign_of_the_change(new: float, old: float) -> None:
    text = words.difference(new, old)
    if text:
        assert text.startswith("+") == (new > old)
        assert set("123456789") & set(text)


@pytest.mark.parametrize(
    ("value", "text"), [(1_250_000, "1.25M"), (12_500, "12.5k"), (1_250, "1,250"), (0.2, "0.2")]
)
def test_an_axis_gets_short_numbers(value: float, text: str) -> None:
    assert words.compact(value) == text


def test_every_metric_has_its_title() -> None:
    assert [words.metric_title(name) for name in METRICS] == [m.title for m in METRICS.values()]
    assert words.metric_title("own_metric") == "own_metric"


def test_a_long_name_keeps_both_ends() -> None:
    text = words.shortened("monthly_charges_in_euro_excluding_value_added_tax", 20)
    assert len(text) == 20
    assert text.startswith("monthly_")
    assert text.endswith("ded_tax")
    assert words.shortened("short", 20) == "short"


@given(st.text(st.characters()), st.integers(4, 40))
def test_a_shown_name_is_one_line_that_utf8_can_carry(name: str, length: int) -> None:
    text = words.shortened(name, length)
    assert len(text) <= length
    assert len(text.encode().splitlines()) <= 1
    assert "\0" not in text


def test_a_time_is_shown_to_the_minute_and_other_text_as_it_is() -> None:
    assert words.moment("2026-11-20T22:34:07.12+00:00") == "2026-11-20 22:34 UTC"
    assert words.moment("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, words.NO_VALUE),
        ([], words.NO_VALUE),
        (True, "yes"),
        (0.08, "0.08"),
        (["a", 2], "a, 2"),
        ({"deep": {"er": 1}}, "deep = er = 1"),
    ],
)
def test_a_parameter_is_written_for_people(value: object, text: str) -> None:
    assert words.setting(value) == text
