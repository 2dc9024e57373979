"""Free text, and categories of too many values to be categories."""

import datetime as dt
import unicodedata
from collections.abc import Callable, Mapping

from tests.serve.tables.base import Case, Row, any_of, lines, of_text, rows

ENDS = ("see you", "a, b; c", "x\ny", 'she said ""ok""', "né à Zürich", "ЖЮЩ", "🙂 then")
STARTS = ("claim your prize now", "running late for lunch", "the invoice of today")


def _message(row: Row) -> str:
    return f"{STARTS[row.pick]}  {any_of(row, ENDS)} {row.at * 7919 % 997}"


def messages() -> Case:
    return of_text(lines("a,c,y", lambda row: f'{row.a},"{_message(row)}",{row.y}'))


def messages_with_gaps() -> Case:
    text = lines(
        "a,c,y",
        lambda row: (
            f'{row.a},"{("", "n/a", " ")[row.at % 3] if row.at % 5 == 0 else _message(row)}",'
            f"{row.y}"
        ),
    )
    return of_text(text, skipinitialspace=True, na_values=["", "n/a", " "])


def messages_in_classes() -> Case:
    text = lines("a,c,y", lambda row: f'{row.a},"{_message(row)}",{"uvw"[row.pick * row.y]}')
    return of_text(text)


def messages_with_numbers() -> Case:
    text = lines("a,c,y", lambda row: f'{row.a},"{_message(row)}",{row.pick + float(row.a)}')
    return of_text(text)


def decomposed_messages() -> Case:
    """Characters with combining marks mean what the composed ones mean."""
    text = lines("a,c,y", lambda row: f'{row.a},"{_message(row)}",{row.y}')
    return of_text(
        unicodedata.normalize("NFD", text),
        variants={"composed": lambda frame: frame.assign(c=frame["c"].map(_composed))},
    )


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def codes_read_as_text() -> Case:
    """`data.text` makes texts even of numbers and booleans, whose cells have several spellings."""
    cells = ("7", "8.5", "TRUE")
    made = [row for row in rows() if row.at]
    return of_text(
        lines("a,c,y", lambda row: f"{row.a},{cells[row.pick]},{row.y}", made=made),
        settings={"data.text": ["c"]},
        dtype={"c": str},
        variants={"as values": lambda frame: frame.assign(c=frame["c"].map(_value))},
        without=["Parquet"],
    )


def _value(cell: str) -> object:
    return {"7": 7, "8.5": 8.5, "TRUE": True}[cell]


def numbers_read_as_text() -> Case:
    text = lines("a,c,y", lambda row: f"{row.a},{row.pick}.0,{row.y}")
    return of_text(
        text,
        settings={"data.text": ["c"]},
        variants={"as texts": lambda frame: frame.assign(c=frame["c"].map("{:.1f}".format))},
    )


def many_values() -> Case:
    made = rows(900, seed=3)
    text = lines(
        "a,c,y", lambda row: f"{row.a},{'uvw'[row.pick]}{row.at % 280:03},{row.y}", made=made
    )
    return of_text(text)


def messages_among_others() -> Case:
    """Beside dates and amounts, with counts of values: every kind of added feature."""
    text = lines(
        "a,d,c,p,y",
        lambda row: (
            f'{row.a},{_day(row)},"{_message(row)}","${1_000 * row.pick + row.at:,.2f}",{row.y}'
        ),
    )
    return of_text(text, settings={"train.features": ["frequency"]})


def dates_and_amounts_read_as_text() -> Case:
    """`data.text` makes texts of columns that would be read by a format."""
    text = lines(
        "a,d,c,y",
        lambda row: f'{row.a},{_day(row)},"${1_000 * row.pick + row.at % 9:,.2f}",{row.y}',
    )
    return of_text(text, settings={"data.text": ["c", "d"]})


def _day(row: Row) -> dt.date:
    return dt.date(2023, 1, 2) + dt.timedelta(days=7 * (row.at % 45) + 2 * row.pick)


CASES: Mapping[str, Callable[[], Case]] = {
    "messages": messages,
    "messages with gaps": messages_with_gaps,
    "messages in classes": messages_in_classes,
    "messages with numbers": messages_with_numbers,
    "decomposed messages": decomposed_messages,
    "codes read as text": codes_read_as_text,
    "numbers read as text": numbers_read_as_text,
    "a category of many values": many_values,
    "messages among others": messages_among_others,
    "dates and amounts read as text": dates_and_amounts_read_as_text,
}
