"""Dates, times of day and durations, in the spellings of texts and in the types of Parquet and Excel."""

import datetime as dt
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from tests.serve.tables.base import Case, Frame, Row, any_of, lines, of_text, rows


def _day(row: Row) -> dt.date:
    """Return a day whose weekday depends on the row's pick."""
    return dt.date(2023, 1, 2) + dt.timedelta(days=7 * (row.at % 45) + 2 * row.pick)


def _moment(row: Row) -> dt.datetime:
    return dt.datetime.combine(_day(row), dt.time(8 + 3 * row.pick, row.at % 60, 7))


def _case(write: Callable[[Row], str], variant: Callable[[Frame], Frame]) -> Case:
    text = lines("a,c,y", lambda row: f"{row.a},{write(row)},{row.y}")
    return of_text(text, variants={"typed": variant})


def _of_format(pattern: str) -> Callable[[Frame], Frame]:
    return lambda frame: frame.assign(
        c=pd.to_datetime(frame["c"], format=pattern, utc="%z" in pattern)
    )


def _written(pattern: str) -> Case:
    return _case(lambda row: f"{_moment(row):{pattern}}", _of_format(pattern))


def with_gaps() -> Case:
    """Days first, some of them missing."""
    return _case(
        lambda row: "" if row.at % 11 == 3 else f"{_day(row):%d/%m/%Y}", _of_format("%d/%m/%Y")
    )


def mixed_spellings() -> Case:
    patterns = ("%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y")
    text = lines("a,c,y", lambda row: f'{row.a},"{_day(row):{any_of(row, patterns)}}",{row.y}')
    return of_text(text, variants={"typed": _mixed})


def _mixed(frame: Frame) -> Frame:
    return frame.assign(c=[pd.Timestamp(_day(row)) for row in rows()])


def zones() -> Case:
    """The same moments, in two zones."""

    def write(row: Row) -> str:
        hours = any_of(row, ("+00:00", "+02:00"))
        return f"{_moment(row) + dt.timedelta(hours=int(hours[1:3])):%Y-%m-%d %H:%M:%S}{hours}"

    case = _case(write, lambda frame: frame.assign(c=pd.to_datetime(frame["c"], utc=True)))
    return replace(case, without=frozenset({"Excel"}))  # which has no zones


def halves_of_the_day() -> Case:
    def write(row: Row) -> str:
        return f"{_moment(row) + dt.timedelta(hours=3):%I:%M %p}"

    def read(cell: str) -> dt.time:
        return dt.datetime.strptime(cell, "%I:%M %p").time()  # noqa: DTZ007 — a time of day

    return _case(write, lambda frame: frame.assign(c=frame["c"].map(read)))


def durations() -> Case:
    """As pandas writes them."""
    case = _case(
        lambda row: str(pd.Timedelta(minutes=50 * row.pick - 20, milliseconds=row.at)),
        lambda frame: frame.assign(c=pd.to_timedelta(frame["c"])),
    )
    return replace(case, without=frozenset({"Excel"}))  # in which pandas writes a number of days


def long_clocks() -> Case:
    def write(row: Row) -> str:
        return f"{20 + 9 * row.pick}:{row.at % 60:02}:09"

    case = _case(write, lambda frame: frame.assign(c=pd.to_timedelta(frame["c"])))
    return replace(case, without=frozenset({"Excel"}))  # as above


def split_by_days() -> Case:
    """Sorted as texts, 31.01. would follow 01.12."""
    case = _case(lambda row: f"{_day(row):%d.%m.%Y}", _of_format("%d.%m.%Y"))
    return replace(case, settings={"split.method": "time:c"})


def _file(make: Callable[[], Case], file: str) -> Case:
    """Return the case of the typed frame as a file of another format."""
    case = make()
    typed, sink = case.variants["typed"], io.BytesIO()
    if file.endswith("xlsx"):
        typed.to_excel(sink, index=False)
    else:
        typed.to_parquet(sink)
    return Case(sink.getvalue(), typed, file=file, encoding="", without=case.without)


PATTERNS: Sequence[str] = (
    "%Y-%m-%d %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d/%m/%y",
    "%d %b %Y",
    "%d-%b-%y",
    "%b %d %Y %I:%M:%S %p",
    "%Y%m%dT%H%M%SZ",
)
TYPED: Mapping[str, Callable[[], Case]] = {
    "dates with gaps": with_gaps,
    "moments": partial(_written, "%Y-%m-%d %H:%M:%S"),
    "halves of the day": halves_of_the_day,
    "durations": durations,
}
CASES: Mapping[str, Callable[[], Case]] = {
    **{f"dates {pattern}": partial(_written, pattern) for pattern in PATTERNS},
    **TYPED,
    "dates in several spellings": mixed_spellings,
    "moments in zones": zones,
    "a split by days": split_by_days,
    "hours beyond a day": long_clocks,
    **{
        f"Parquet with {name}": partial(_file, make, "rows.parquet") for name, make in TYPED.items()
    },
    "Excel with dates": partial(_file, with_gaps, "rows.xlsx"),
    "Excel with moments": partial(_file, TYPED["moments"], "rows.xlsx"),
}
