"""Format numbers and names for readers of the report, not for parsing."""

import math
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lightmodel.contract.task import METRICS

NO_VALUE = "\N{EN DASH}"
_MINUS, _TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALL = 0.1  # smaller values get three digits, which align with four digits of 0.5
_SMALLEST_PLAIN, _SMALLEST_HUGE = -4, 9  # powers of ten without an exponent
_HUGE = 1e12
_STEPS = ((1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))


def metric_title(name: str) -> str:
    """Write a metric's key as a heading: `log_loss` becomes "Log loss"."""
    return METRICS[name].title if name in METRICS else one_line(name)


def lower_is_better(metric: str) -> bool:
    """Return whether a smaller value of `metric` is the better one."""
    return metric in METRICS and not METRICS[metric].higher_is_better


def number(value: float | None, digits: int = 4) -> str:
    """Write a number with `digits` significant digits and thousands separators; NaN as a dash."""
    if value is None or math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else f"{_MINUS}∞"
    if value == 0:
        return "0"
    if abs(value) < _SMALL:
        digits = min(digits, 3)
    # The exponent after rounding: 0.9999996 is to read 1.000, not 1.0000.
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    exponent = int(power)
    if not _SMALLEST_PLAIN <= exponent < _SMALLEST_HUGE:
        power = str(exponent).translate(_SUPERSCRIPTS)
        return f"{mantissa} {_TIMES} 10{power}".replace("-", _MINUS)
    return f"{value:,.{max(digits - 1 - exponent, 0)}f}".replace("-", _MINUS)


def difference(new: float, old: float) -> str:
    """Write `new` minus `old` with its sign; empty if both look the same, a dash if unknown.

    It is the difference of the two numbers as they are displayed, with their number of decimals.
    """
    if math.isnan(new) or math.isnan(old):
        return NO_VALUE
    texts = number(new), number(old)
    if texts[0] == texts[1]:
        return ""
    sign = "+" if new > old else ""
    if any(mark in text for text in texts for mark in ("∞", _TIMES)):
        return sign + number(new - old, 3)
    decimals = max(len(text.partition(".")[2]) for text in texts)
    change = round(new, decimals) - round(old, decimals)
    return sign + f"{change:,.{decimals}f}".replace("-", _MINUS) if change else ""


def count(value: int) -> str:
    """Write a whole number with thousands separators."""
    return f"{value:,}"


def whole(value: float) -> str:
    """Write a count that is stored as a float; NaN as a dash."""
    return count(round(value)) if math.isfinite(value) else NO_VALUE


def percent(share: float, decimals: int = 1) -> str:
    """Write a share of one in per cent, with a space that does not break."""
    return f"{100 * share:,.{decimals}f}\N{NO-BREAK SPACE}%" if math.isfinite(share) else NO_VALUE


def p_value(value: float) -> str:
    """Write a p-value with three decimals, as more are not meaningful."""
    if math.isnan(value):
        return NO_VALUE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def compact(value: float) -> str:
    """Write a number for an axis: 1,250,000 as 1.25M."""
    for least, unit, suffix in _STEPS:
        if least <= abs(value) < _HUGE:
            return f"{value / unit:.5g}{suffix}".replace("-", _MINUS)
    return f"{value:,.5g}".replace("-", _MINUS)


def one_line(name: object) -> str:
    """Return a name as one line that any encoder accepts: no control characters, no breaks."""
    text = " ".join(str(name).encode("utf-8", "replace").decode().split())
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cc")


def shortened(name: object, length: int) -> str:
    """Cut the middle out of a long name: both ends distinguish columns better than one."""
    text = one_line(name)
    if len(text) <= length:
        return text
    tail = (length - 1) * 2 // 5
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def moment(text: str) -> str:
    """Write an ISO time to the minute; return any other text unchanged."""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M %Z}".strip()
    except ValueError:
        return one_line(text)


def setting(value: object) -> str:
    """Write a parameter's value: lists and tables in one line, None and "" as a dash."""
    if value is None or value == "":
        return NO_VALUE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(setting(each) for each in value) or NO_VALUE
    if isinstance(value, dict):
        return ", ".join(f"{one_line(key)} = {setting(each)}" for key, each in value.items())
    return one_line(value)


def class_weight(parameters: Mapping[str, Any]) -> str:
    """Return train.class_weight of a manifest's parameters, such as "yes 5, no 1"; "" for none."""
    given = parameters.get("train", {}).get("class_weight", "none")
    if isinstance(given, Mapping):
        return ", ".join(f"{name} {weight:g}" for name, weight in given.items())
    return "" if given == "none" else str(given)
