"""Numbers, names and times as they are shown."""

from datetime import UTC, datetime

import pytest

from lightmodel.console.formatting import (
    MINUS,
    NBSP,
    local_time,
    number,
    percent,
    plain,
    plural,
    shortened,
    signed,
)

SHOWN = [
    *((0, "0"), (1234.5678, "1,234.6"), (123456.0, "123,456"), (1234567.0, "1,234,567")),
    *((0.000012, "1.200e-05"), (-2.5, "-2.5")),
]


@pytest.mark.parametrize(("value", "text"), SHOWN)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text.replace("-", MINUS)


def test_only_nothing_and_all_are_shown_as_such() -> None:
    shown = [percent(share).replace(NBSP, " ") for share in (0, 0.0004, 0.5, 0.9996, 1)]
    assert shown == ["0.0 %", "< 0.1 %", "50.0 %", "> 99.9 %", "100.0 %"]


def test_words() -> None:
    assert [plural(count, "row") for count in (0, 1, 2_000)] == ["0 rows", "1 row", "2,000 rows"]
    assert signed(0.12345) == "+0.123"
    assert shortened("a" * 50 + "z" * 50) == "a" * 25 + "…" + "z" * 14
    assert shortened("a\nb") == "a b"


def test_markdown_of_a_name_means_nothing() -> None:
    assert plain("a*b*_c_[d](e)$x$ :red[f]\n# g") == r"a\*b\*\_c\_\[d\]\(e\)\$x\$ \:red\[f\] \# g"


def test_times_are_the_readers() -> None:
    moment = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert local_time(moment, "Europe/Berlin") == "2026-07-01 14:00 CEST"
    assert local_time(moment, None) == "2026-07-01 12:00 UTC"
    assert local_time(moment, "No/Where") == "2026-07-01 12:00 UTC"
