"""Parse dates, times of day, moments and durations: one parser for training and for every request.

A value is a count of microseconds: of a date or a moment since 1970-01-01 in UTC, of a time of day since
midnight. In a matrix it is a float64 of seconds. Whatever the locale, names of months are English.

Texts are grouped by their shape, in which each digit is a 0 and each letter is small: the grammar is
applied to shapes, of which a column has few, and the digits of all texts of a shape are read together.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lightmodel.contract.cells import INVALID, Codes, Vector
from lightmodel.contract.columns import ColumnType

DAY_FIRST, MONTH_FIRST = "day_first", "month_first"
NO_TIME = -(2**63)  # the value of a text that means no time, as in NumPy
SECOND = 1_000_000
DAY = 86_400 * SECOND
_EARLIEST, _LATEST = -719_162 * DAY, 2_932_897 * DAY  # years 1 to 9999, which all formats can hold
_LONGEST = 64  # characters; a longer text is invalid
_TO_SHAPE = {ord(digit): "0" for digit in "123456789"} | {
    ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}
_LONG_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTHS = [name[:3] for name in _LONG_MONTHS]
_MONTH = f"(?P<name>{'|'.join(_LONG_MONTHS)}|(?:{'|'.join(_MONTHS)}|sept)\\.?)"
_WEEKDAY = "(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\\.?,? )?"
_YEAR = "(?P<year>0000|00)"
_DAY = "(?P<day>00?)(?:st|nd|rd|th)?"
_DATES = (
    "(?P<year>0000)(?P<mark>[-/.])(?P<month>00?)(?P=mark)(?P<day>00?)",
    "(?P<year>0000)[-/](?P<month>00)",
    "(?P<year>0000)(?P<month>00)(?P<day>00)(?=t)",
    "(?P<first>00?)(?P<mark>[-/.])(?P<second>00?)(?P=mark)(?P<year>0000)",
    "(?P<first>00?)(?P<mark>[/.])(?P<second>00?)(?P=mark)(?P<year>00)",
    f"{_WEEKDAY}{_DAY}[- /.]? ?{_MONTH}(?:[-/]|,? )?{_YEAR}",
    f"{_WEEKDAY}{_MONTH}[- ]{_DAY}(?:, ?|[- ]){_YEAR}",
    f"(?P<year>0000)[-/ ]{_MONTH}[-/ ](?P<day>00?)",
    f"{_MONTH}[- /](?P<year>0000)",
)
_SECONDS = "(?P<seconds>00)(?:[.,](?P<fraction>0{1,9}))?"
_CLOCK = f"(?P<hours>00?):(?P<minutes>00)(?::{_SECONDS})?(?: ?(?P<half>[ap])\\.?m\\.?)?"
_COMPACT = f"(?P<hours>00)(?:(?P<minutes>00)(?:{_SECONDS})?)?"
_ZONE = "(?: ?(?:z|utc|gmt)| ?(?P<sign>[-+])(?P<zone_hours>00)(?::?(?P<zone_minutes>00))?)?"
_SPAN = f"(?P<hours>0{{1,6}}):(?P<minutes>00)(?::{_SECONDS})?"
_MINUTES, _WHOLE_SECONDS = "(?P<minutes>0{1,6})", "(?P<seconds>0{1,8})"
_MORE_MINUTES = f"(?: ?{_MINUTES} ?m(?:in(?:ute)?s?)?\\.?)?"
_MORE_SECONDS = f"(?: ?{_WHOLE_SECONDS} ?s(?:ec(?:ond)?s?)?\\.?)?"
_ISO_DAYS = "(?P<all_sign>[-+])?p(?!$)(?:(?P<own_sign>-)?(?P<days>0{1,6})d)?"
_ISO_SECONDS = f"(?:{_WHOLE_SECONDS}(?:[.,](?P<fraction>0{{1,9}}))?s)?"
_ISO_CLOCK = f"(?:(?P<hours>0{{1,6}})h)?(?:{_MINUTES}m)?{_ISO_SECONDS}"
_DURATIONS = (
    f"(?P<sign>[-+])?{_SPAN}",
    f"(?P<day_sign>[-+])?(?P<days>0{{1,6}}) days?(?P<comma>,)?(?: (?P<sign>[-+])?{_SPAN})?",
    f"{_ISO_DAYS}(?:t(?!$){_ISO_CLOCK})?",
    f"(?P<hours>0{{1,6}}) ?h(?:ours?|rs?)?\\.?{_MORE_MINUTES}{_MORE_SECONDS}",
    f"{_MINUTES} ?min(?:ute)?s?\\.?{_MORE_SECONDS}",
    f"{_MINUTES} ?m ?{_WHOLE_SECONDS} ?s",
    f"{_WHOLE_SECONDS} ?sec(?:ond)?s?\\.?",
)
_GRAMMARS = {
    ColumnType.DATETIME: [f"{date}(?:(?:[t ]|, ){_CLOCK}{_ZONE})?" for date in _DATES]
    + [f"{date}t{_COMPACT}{_ZONE}" for date in (_DATES[0], _DATES[2])]
    + [f"{_DATES[0]} (?P<hours>00){_ZONE}"],
    ColumnType.TIME: [_CLOCK],
    ColumnType.DURATION: list(_DURATIONS),
}
_PATTERNS = {
    kind: [re.compile(pattern, re.ASCII) for pattern in patterns]
    for kind, patterns in _GRAMMARS.items()
}
_FIRST_SHORT_YEAR = 69  # 69 is 1969 and 68 is 2068, as in POSIX
_FEW = 3  # texts that are read faster one by one
_Numbers = Mapping[str, Any]  # integers of one text, or arrays of those of many


@dataclass(frozen=True)
class _Layout:
    """Where a shape has its digits, and what its letters mean.

    Attributes:
        spans: name of a number → start and end of its digits.
        letters: name of a sign, a mark, a month or a half of the day → its text.
        most_hours, most: the largest number of hours, and of minutes and seconds.
    """

    spans: Mapping[str, tuple[int, int]]
    letters: Mapping[str, str]
    most_hours: int
    most: int

    @property
    def is_ordered(self) -> bool:
        """Whether its numbers alone tell the day from the month."""
        return "first" not in self.spans

    def sign(self, *names: str) -> int:
        """Return -1 if the first of these signs that is there is a minus, else 1."""
        signs = [self.letters[name] for name in names if name in self.letters]
        return -1 if signs[:1] == ["-"] else 1


@lru_cache(4096)
def _layout(shape: str, kind: ColumnType) -> _Layout | None:
    for pattern in _PATTERNS[kind]:
        if match := pattern.fullmatch(shape):
            found = {name for name, text in match.groupdict().items() if text}
            spans = {name: match.span(name) for name in found if match[name][0] == "0"}
            letters = {name: match[name] for name in found - spans.keys()}
            is_span = kind is ColumnType.DURATION
            most = 59 if ":" in shape or not is_span else 10**8
            return _Layout(spans, letters, 10**6 if is_span else 23, most)
    return None


def shapes_of(texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the places of the texts of each shape."""
    shapes: dict[str, list[int]] = {}
    for at, text in enumerate(texts):
        shape = text.translate(_TO_SHAPE) if len(text) <= _LONGEST else ""
        shapes.setdefault(shape, []).append(at)
    return shapes


def order_mark(shape: str) -> str:
    """Return the mark between the numbers of a date if their order is open, as in 03/04/2024, else ""."""
    layout = _layout(shape, ColumnType.DATETIME)
    return "" if layout is None or layout.is_ordered else layout.letters["mark"]


def parse_micros(texts: Sequence[str], kind: ColumnType, order: str = "") -> Codes:
    """Return (texts,) int64 microseconds of stripped texts, NO_TIME where one is invalid.

    Args:
        texts: in any of the spellings of the kind.
        kind: DATETIME (also for dates), TIME or DURATION.
        order: of day and month in 03/04/2024; without one, such a text is invalid.
    """
    micros = np.full(len(texts), NO_TIME)
    for shape, places in shapes_of(texts).items():
        layout = _layout(shape, kind)
        if layout is None or not (order or layout.is_ordered):
            continue
        if len(places) > _FEW:
            micros[places] = _read(_columns([texts[at] for at in places], layout), layout, order)
        else:
            for at in places:
                micros[at] = _read(_integers(texts[at], layout), layout, order)
    return micros


def _integers(text: str, layout: _Layout) -> _Numbers:
    """Return the numbers of one text."""
    return {name: int(text[start:end]) for name, (start, end) in layout.spans.items()}


def _columns(texts: Sequence[str], layout: _Layout) -> _Numbers:
    """Return the numbers of texts of one shape, each (texts,)."""
    letters = np.frombuffer("".join(texts).encode(), np.uint8).reshape(len(texts), -1)
    digits = (letters & 15).astype(np.int64)
    return {name: _joined(digits[:, slice(*span)]) for name, span in layout.spans.items()}


def _read(numbers: _Numbers, layout: _Layout, order: str) -> Any:  # noqa: ANN401 — as the numbers are
    """Return the microseconds of texts of one shape, NO_TIME where there is no such date or time."""
    micros, valid = _clock(numbers, layout)
    if "year" in numbers:
        days, is_day = _days(numbers, layout, order)
        micros = micros + days * DAY
        valid = valid & is_day & (micros >= _EARLIEST) & (micros < _LATEST)
    return micros * valid + NO_TIME * (1 - valid)


def _joined(digits: npt.NDArray[np.int64]) -> Codes:
    """Return the number that the digits of each row spell."""
    number: Codes = digits[:, 0]
    for column in range(1, digits.shape[1]):
        number = number * 10 + digits[:, column]
    return number


def _days(numbers: _Numbers, layout: _Layout, order: str) -> tuple[Any, Any]:
    """Return days since 1970-01-01, and which of them exist in the calendar."""
    year = numbers["year"]
    start, end = layout.spans["year"]
    if end - start == 2:
        year = year + 1900 + 100 * (year < _FIRST_SHORT_YEAR)
    first, second = numbers.get("first", 1), numbers.get("second", 1)
    if order == MONTH_FIRST:
        first, second = second, first
    day, month = numbers.get("day", first), numbers.get("month", second)
    if "name" in layout.letters:
        month = 1 + _MONTHS.index(layout.letters["name"][:3])
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    length = 30 + ((month + (month > 7)) & 1) - (2 - leap) * (month == 2)
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
    return _days_of(year, month, day), valid


def _days_of(year: Any, month: Any, day: Any) -> Any:  # noqa: ANN401 — as the numbers are
    """Return days since 1970-01-01 of dates in the Gregorian calendar."""
    year = year - (month <= 2)  # a year from March on ends with the leap day
    of_year = (153 * (month - 3 + 12 * (month <= 2)) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719468


def _clock(numbers: _Numbers, layout: _Layout) -> tuple[Any, Any]:
    """Return the microseconds of all but the date, and which of them are a time of day or a duration."""
    hours, minutes, seconds, fraction, days = (
        numbers.get(name, 0) for name in ("hours", "minutes", "seconds", "fraction", "days")
    )
    valid = (hours <= layout.most_hours) & (minutes <= layout.most) & (seconds <= layout.most)
    if half := layout.letters.get("half"):
        valid = valid & (hours >= 1) & (hours <= 12)
        hours = hours % 12 + (12 if half == "p" else 0)
    micros = ((hours * 60 + minutes) * 60 + seconds) * SECOND + _micros(fraction, layout)
    if "zone_hours" in numbers:
        zone_hours, zone_minutes = numbers["zone_hours"], numbers.get("zone_minutes", 0)
        valid = valid & (zone_hours <= 23) & (zone_minutes <= 59)
        return micros - layout.sign("sign") * (zone_hours * 60 + zone_minutes) * 60 * SECOND, valid
    # for -0:01:00, pandas writes -1 days +23:59:00 or P-1DT23H59M0S, and Python -1 day, 23:59:00
    above = ("all_sign",) if "comma" in layout.letters else ("all_sign", "day_sign")
    micros = layout.sign("sign", *above) * micros
    return micros + layout.sign("all_sign", "day_sign", "own_sign") * days * DAY, valid


def _micros(fraction: Any, layout: _Layout) -> Any:  # noqa: ANN401 — as the numbers are
    """Return the microseconds of the digits behind the mark; further digits are cut off."""
    start, end = layout.spans.get("fraction", (0, 6))
    power = 6 - (end - start)
    return fraction * 10 ** max(power, 0) // 10 ** max(-power, 0)


def to_seconds(micros: Codes) -> Vector:
    """Return microseconds as seconds, INVALID for NO_TIME."""
    whole, rest = np.divmod(micros, SECOND)  # which are exact in float64, unlike far dates
    seconds: Vector = np.where(micros == NO_TIME, INVALID, whole + rest / SECOND)
    return seconds


def parse_seconds(texts: Sequence[str], kind: ColumnType, order: str = "") -> Vector:
    """Return (texts,) float64 seconds; INVALID, and otherwise as `parse_micros`."""
    return to_seconds(parse_micros(texts, kind, order))


def to_micros(seconds: Vector) -> Codes:
    """Return seconds as the nearest microseconds, of which `to_seconds` makes the same; NaN is NO_TIME."""
    absent = np.isnan(seconds)
    whole = np.floor(np.where(absent, 0.0, seconds))
    rest = np.where(absent, 0.0, seconds) - whole
    micros = whole.astype(np.int64) * SECOND + np.rint(rest * SECOND).astype(np.int64)
    return np.where(absent, NO_TIME, micros)


def format_time(seconds: float, kind: ColumnType) -> str:
    """Return a value of a matrix as in ISO 8601, and a duration as h:mm:ss; "any" for an infinite one."""
    if not np.isfinite(seconds):
        return "any"
    micros = int(to_micros(np.array([seconds]))[0])
    if kind is ColumnType.DURATION:
        whole, rest = divmod(abs(micros), SECOND)
        clock = f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
        text = f"{'-' if micros < 0 else ''}{clock}.{rest:06}"
    else:
        text = str(np.datetime64(micros, "us"))
    day, _, clock = text.removesuffix(".000000").partition("T")
    return {ColumnType.DATE: day, ColumnType.TIME: clock}.get(kind, text.removesuffix(".000000"))
