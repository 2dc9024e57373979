"""Blanks of Unicode, ids, whole numbers beyond float64, and dates."""

import unicodedata
from collections.abc import Callable, Mapping

from tests.serve.tables.base import Case, Row, any_of, lines, of_text, picked, rows

# without the control characters, by which a file counts as binary; test_reader_agreement.py has those
BLANKS = tuple(
    sign for sign in map(chr, range(0x3001)) if sign.isspace() and not "\n" <= sign < " "
)


def no_break_spaces() -> Case:
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{row.a}\u00a0,{row.pick},{('red', 'green', 'blue')[row.pick]}"
            f"{chr(0xA0) * (row.pick == 0)},{row.y}"
        ),
    )
    return of_text(text)


def every_blank() -> Case:
    """Every blank of Unicode, on either side of texts and numbers."""
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{any_of(row, BLANKS)}{row.a},{row.pick}{any_of(row, BLANKS)},"
            f"{any_of(row, BLANKS[::-1])}{('red', 'green', 'blue')[row.pick]}{any_of(row, BLANKS)},{row.y}"
        ),
    )
    return of_text(text, without=["Excel"])


def no_blanks() -> Case:
    """What looks like a blank and is none: zero width, byte-order mark, Mongolian separator."""
    return picked(("red\u200b", "\ufeffred", "red\u180e"))


def large_ids() -> Case:
    ids = [str(9007199254740993 + 2 * row.at) for row in rows()]
    text = lines("order_id,a,c,y", lambda row: f"{ids[row.at]},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text, ids=ids, without=["Excel"])


def huge_ids() -> Case:
    """Beyond what 64 bits hold."""
    ids = [str(2**64 + 3 * row.at) for row in rows()]
    text = lines("order_id,a,c,y", lambda row: f"{ids[row.at]},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text, ids=ids, dtype={"order_id": str})


def padded_ids() -> Case:
    ids = [f"{row.at:05d}" for row in rows()]
    text = lines("id,a,c,y", lambda row: f"{ids[row.at]},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text, ids=ids, dtype={"id": str})


def decomposed_ids() -> Case:
    """An id is answered as it came, decomposed or not."""
    ids = [unicodedata.normalize("NFD", f"Zürich-{row.at}") for row in rows()]
    text = lines("id,a,c,y", lambda row: f"{ids[row.at]},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text, ids=ids)


def large_feature() -> Case:
    """float64 rounds these, in training and in requests alike."""
    text = lines(
        "a,n,y", lambda row: f"{row.a},{9007199254740993 + 1000 * row.pick + row.at},{row.y}"
    )
    return of_text(text, without=["Excel"])


def large_group() -> Case:
    text = lines(
        "g,a,c,y", lambda row: f"{9007199254740993 + row.at // 3},{row.a},{'uvw'[row.pick]},{row.y}"
    )
    settings = {"split.method": "group:g"}
    return of_text(text, settings=settings, without=["Excel"])


def numbers_as_written() -> Case:
    """Signs, exponents, bare points, many digits."""

    def write(row: Row) -> str:
        return any_of(
            row,
            (
                f"+{row.a}",
                f"{row.a}e0",
                f"{float(row.a) * 100:.1f}E-2",
                row.a.lstrip("0"),
                f"{row.a}00",
            ),
        )

    text = lines("a,b,y", lambda row: f"{write(row)},{row.pick}.,{row.y}")
    return of_text(text)


def dates_and_infinities() -> Case:
    """Dates are left out of the features, and stay so."""
    text = lines(
        "d,t,a,c,y",
        lambda row: (
            f"2024-01-{row.at % 28 + 1:02d},2024-01-01T10:{row.at % 60:02d}:00Z,"
            f"{row.a},{'uvw'[row.pick]},{row.y}"
        ),
    )
    return of_text(text)


def text_labels() -> Case:
    labels = ("low", "high")
    text = lines("a,c,y", lambda row: f"{row.a},{'uvw'[row.pick]},{labels[row.y]}")
    return of_text(text)


def one_feature() -> Case:
    made = [Row(row.at, row.a, 1, int(float(row.a) > 0.5)) for row in rows()]
    return of_text(lines("a,y", lambda row: f"{row.a},{row.y}", made=made))


CASES: Mapping[str, Callable[[], Case]] = {
    "no-break spaces": no_break_spaces,
    "every blank": every_blank,
    "no blanks": no_blanks,
    "large ids": large_ids,
    "huge ids": huge_ids,
    "padded ids": padded_ids,
    "decomposed ids": decomposed_ids,
    "a large feature": large_feature,
    "a large group": large_group,
    "numbers as written": numbers_as_written,
    "dates": dates_and_infinities,
    "labels of text": text_labels,
    "one feature": one_feature,
}
