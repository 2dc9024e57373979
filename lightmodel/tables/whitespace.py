"""Text whose cells stand apart by a delimiter and any number of blanks, made regular."""

import re
from collections.abc import Callable

_MOST_HELD = 16 << 20  # beyond, some quote is never closed, and waiting for its end costs memory


def squeezing(delimiter: str, quote: str) -> Callable[[bytes], bytes]:
    """Give a function that is fed a text piece by piece, b"" at the end, and gives it back regular.

    Between two cells just the delimiter is left, or one blank where that is a blank; what stands in
    quotes is not touched. The function remembers the unfinished line between two calls.
    """
    pattern, between = _pattern(delimiter, quote), delimiter.encode()
    mark = quote.encode()
    held = b""

    def squeeze(piece: bytes) -> bytes:
        nonlocal held
        text = held + bytes(piece)
        cut = _last_line_end(text, mark) if piece else len(text)
        held = text[cut:]
        return pattern.sub(lambda found: found[1] or (between if found[2] else b""), text[:cut])

    return squeeze


def _pattern(delimiter: str, quote: str) -> re.Pattern[bytes]:
    mark, blanks = re.escape(quote), "[ \t]"
    quoted = f"({mark}(?:[^{mark}]|{mark}{mark})*{mark})"
    ends = f"^{blanks}+|{blanks}+(?=\r|\n|\\Z)"
    inner = f"{blanks}+" if delimiter == " " else f"{blanks}*{re.escape(delimiter)}{blanks}*"
    return re.compile(f"{quoted}|{ends}|({inner})".encode(), re.MULTILINE)


def _last_line_end(text: bytes, mark: bytes) -> int:
    """Give the place behind the last line end that is outside quotes, or 0."""
    cut = text.rfind(b"\n") + 1
    closed = len(text) > _MOST_HELD or text.count(mark, 0, cut) % 2 == 0
    return cut if closed else 0
