"""Numbers, names and times for display, as the service's own page writes them."""

from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MINUS, ELLIPSIS, NBSP = "\N{MINUS SIGN}", "\N{HORIZONTAL ELLIPSIS}", "\N{NO-BREAK SPACE}"


def number(value: float) -> str:
    """Return a number with five significant digits."""
    size = abs(value)
    text = f"{value:.3e}" if size and (size < 1e-4 or size >= 1e9) else f"{value:,.5g}"
    if "e" in text and size < 1e9 and size >= 1e-4:
        text = f"{value:,.0f}"
    return text.replace("-", MINUS)


def signed(value: float) -> str:
    """Return a number with three significant digits and its sign."""
    return ("+" if value > 0 else "") + number(float(f"{value:.3g}"))


def percent(share: float) -> str:
    """Return a share in per cent; only exactly 0 and 1 are shown as 0 % and 100 %."""
    if 0 < share < 0.001:
        return f"< 0.1{NBSP}%"
    if 0.999 < share < 1:
        return f"> 99.9{NBSP}%"
    return f"{100 * share:.1f}{NBSP}%"


def plural(count: int, word: str) -> str:
    """Return a count and its word, such as "2 rows"."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def shortened(name: object, most: int = 40) -> str:
    """Return a name whose middle is cut out if it is long: both ends tell columns apart better than one."""
    text = " ".join(str(name).split())
    return text if len(text) <= most else f"{text[: most - 15]}{ELLIPSIS}{text[-14:]}"


def label_text(label: object) -> str:
    """Return a label as requests and files have it."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def html(text: object) -> str:
    """Return a text for HTML."""
    return escape(str(text))


def plain(text: str) -> str:
    r"""Return a text in which Markdown means nothing, such as a column's name: `a*b*` as `a\*b\*`."""
    one_line = " ".join(text.split())
    return "".join(
        f"\\{letter}" if letter in r"\`*_{}[]()<>#+-.!|~:$^&" else letter for letter in one_line
    )


def local_time(moment: datetime, zone: str | None) -> str:
    """Return a moment in the reader's time zone, as the browser names it."""
    try:
        known = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = ZoneInfo("UTC")
    there = moment.astimezone(known)
    return f"{there:%Y-%m-%d %H:%M} {there.tzname() or ''}".rstrip()
