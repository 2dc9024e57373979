"""Texts become dates, times of day and durations, each by one parser with a strict calendar."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.columns import ColumnType
from lightmodel.contract.dates import (
    DAY_FIRST,
    MONTH_FIRST,
    NO_TIME,
    SECOND,
    format_time,
    parse_micros,
    parse_seconds,
    to_micros,
    to_seconds,
)

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 — values have no zone
LAST_DAY = dt.datetime(2023, 12, 31)  # noqa: DTZ001 — as above
KINDS = (ColumnType.DATETIME, ColumnType.TIME, ColumnType.DURATION)
MOMENTS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))  # noqa: DTZ001 — as above


def micros(text: str, kind: ColumnType = ColumnType.DATETIME, order: str = "") -> int | None:
    value = int(parse_micros([text], kind, order)[0])
    return None if value == NO_TIME else value


def since_1970(moment: dt.datetime) -> int:
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        *("2023-12-31", "2023/12/31", "2023.12.31", "31.12.2023", "31/12/2023", "31-12-2023"),
        *("31.12.23", "31 Dec 2023", "31. December 2023", "31-DEC-23", "31dec2023"),
        *("December 31, 2023", "Dec. 31 2023", "Sunday, 31 Dec 2023", "2023-Dec-31"),
        *(
            "2023-12-31T00:00:00Z",
            "2023-12-31 12:00 AM",
            "20231231T000000",
            "2023-12-31 02:00+02:00",
        ),
        *("Sat, 30 Dec 2023 19:00:00 -0500", "31.12.2023, 00:00", "2023-12-31 00:00:00.000 UTC"),
    ],
)
def test_a_date_may_be_written_in_many_ways(text: str) -> None:
    assert micros(text, order=DAY_FIRST) == since_1970(LAST_DAY)


@pytest.mark.parametrize(
    "text",
    [
        *("31.02.2023", "2023-02-29", "29.02.2023", "2023-13-01", "32 Dec 2023", "00.01.2023"),
        *("2023-12-31 24:00", "2023-12-31 10:60", "31 Foo 2023", "1.2.3", "2023-1", "12/2023"),
        *(
            "2023-12-31 13:00 PM",
            "31.12/2023",
            "31.12.2023 x",
            "٣١.١٢.٢٠٢٣",
            "",
            "20231231",
            "x" * 99,
        ),
        *("0000-01-01", "9999-12-31 23:59-01:00", "31.12.2023\0", "2023-12-31\n"),
    ],
)
def test_what_is_no_date_is_invalid(text: str) -> None:
    assert micros(text, order=DAY_FIRST) is None


def test_the_order_decides_on_numbers_alone() -> None:
    third, fourth = (since_1970(dt.datetime(2024, month, 7 - month)) for month in (3, 4))  # noqa: DTZ001
    assert micros("03/04/2024", order=MONTH_FIRST) == third
    assert micros("03/04/2024", order=DAY_FIRST) == fourth
    assert micros("03/04/2024") is None
    assert micros("31/12/2023", order=MONTH_FIRST) is None


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("09:00", dt.time(9)),
        ("9:30", dt.time(9, 30)),
        ("9:30 pm", dt.time(21, 30)),
        ("12:15 a.m.", dt.time(0, 15)),
        ("23:59:59.123456789", dt.time(23, 59, 59, 123456)),
        ("10:00:00,5", dt.time(10, 0, 0, 500_000)),
    ],
)
def test_a_time_of_day_counts_from_midnight(text: str, clock: dt.time) -> None:
    moment = dt.datetime.combine(EPOCH, clock)
    assert micros(text, ColumnType.TIME) == since_1970(moment)


@pytest.mark.parametrize("text", ["24:00", "9:5", "9", "09.30", "09:30 xm", "0:15 pm"])
def test_what_is_no_time_of_day_is_invalid(text: str) -> None:
    assert micros(text, ColumnType.TIME) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0 days 00:05:00", 300),
        ("3 days 04:05:06.5", 3 * 86_400 + 4 * 3600 + 306.5),
        *(
            (text, -60.0)
            for text in ("-1 days +23:59:00", "-1 day, 23:59:00", "P-1DT23H59M0S", "-PT1M")
        ),
        ("-1 days 00:01:00", -86_460),
        ("36:15:00", 36.25 * 3600),
        ("-0:01:00", -60),
        ("PT1H30M", 5400),
        ("P2DT0.25S", 2 * 86_400 + 0.25),
        ("1h 30m", 5400),
        ("90 min", 5400),
        ("2 hours 5 minutes", 7500),
        ("3m 20s", 200),
        ("45 seconds", 45),
    ],
)
def test_a_duration_may_be_written_in_many_ways(text: str, seconds: float) -> None:
    assert micros(text, ColumnType.DURATION) == seconds * SECOND


@pytest.mark.parametrize(
    "text", ["P", "PT", "P1Y", "1:75:00", "5m", "7s", "days", "1:2:3", "12345678"]
)
def test_what_is_no_duration_is_invalid(text: str) -> None:
    assert micros(text, ColumnType.DURATION) is None


@given(MOMENTS)
def test_every_moment_is_read_as_python_and_arrow_do(moment: dt.datetime) -> None:
    text = moment.isoformat(sep=" ")
    expected = since_1970(moment)
    assert micros(text) == expected
    arrow = pa.array([text]).cast(pa.timestamp("us")).cast(pa.int64())
    assert arrow[0].as_py() == expected
    spelled = f"{moment.day:02}.{moment.month:02}.{moment.year:04} {moment:%H:%M:%S.%f}"
    assert micros(spelled, order=DAY_FIRST) == expected


@given(st.lists(st.text("0123456789-/.:T Z+ adecjnJ", max_size=24), max_size=30))
def test_no_text_depends_on_the_others(texts: list[str]) -> None:
    for kind in KINDS:
        together = parse_micros(texts, kind, DAY_FIRST).tolist()
        assert together == [int(parse_micros([one], kind, DAY_FIRST)[0]) for one in texts]


@given(st.text())
def test_any_text_is_a_time_or_invalid(text: str) -> None:
    for kind in KINDS:
        assert len(parse_seconds([text], kind, MONTH_FIRST)) == 1


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}){0,2})?", fullmatch=True))
def test_what_arrow_reads_is_read_alike(text: str) -> None:
    try:
        arrow = pa.array([text]).cast(pa.timestamp("us")).cast(pa.int64())[0].as_py()
    except pa.ArrowInvalid:
        arrow = None
    assert micros(text) == (None if text.startswith("0000") else arrow)


@given(st.integers(-(10**15), 10**18))
def test_seconds_become_the_microseconds_that_they_are_made_of(value: int) -> None:
    seconds = to_seconds(np.array([value]))
    assert np.array_equal(to_seconds(to_micros(seconds)), seconds)
    if abs(value) < 2**52:
        assert to_micros(seconds)[0] == value


@given(MOMENTS)
def test_a_value_is_written_as_it_can_be_read(moment: dt.datetime) -> None:
    value = since_1970(moment.replace(microsecond=0))
    day = 86_400 * SECOND
    for kind, own in (
        (ColumnType.DATE, value - value % day),
        (ColumnType.DATETIME, value),
        (ColumnType.TIME, value % day),
        (ColumnType.DURATION, value // 1_000),
    ):
        read_as = ColumnType.DATETIME if kind is ColumnType.DATE else kind
        assert micros(format_time(own / SECOND, kind), read_as) == own
