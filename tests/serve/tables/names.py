"""Headers and columns that are none."""

import unicodedata
from collections.abc import Callable, Mapping

from tests.serve.tables.base import ROWS, Case, lines, of_text


def row_numbers(first: int) -> Case:
    text = lines(",a,c,y", lambda row: f"{row.at + first},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text)


def row_numbers_of_r() -> Case:
    text = lines('"a","c","y"', lambda row: f'"{row.at + 1}",{row.a},"{"uvw"[row.pick]}",{row.y}')
    return of_text(text)


def identifiers() -> Case:
    """Return a table with a row number, an id that only its values show, and an order number."""
    text = lines(
        "Unnamed: 0,a,batch,c,orderNo,y",
        lambda row: f"{row.at},{row.a},{7000 + row.at},{'uvw'[row.pick]},{row.at**2 + 3},{row.y}",
    )
    return of_text(text, ids=[str(7000 + at) for at in range(ROWS)])


def shuffled_row_numbers() -> Case:
    text = lines(",a,c,y", lambda row: f"{row.at * 7 % ROWS},{row.a},{'uvw'[row.pick]},{row.y}")
    return of_text(text)


def nameless_ends(header: str, behind: str) -> Case:
    text = lines(
        f"a;c;y{header}", lambda row: f"{row.a.replace('.', ',')};{'uvw'[row.pick]};{row.y}{behind}"
    )
    bare = lines("a;c;y", lambda row: f"{row.a.replace('.', ',')};{'uvw'[row.pick]};{row.y}")
    made = of_text(bare, sep=";", decimal=",")
    return Case(text.encode(), made.frame)


def blanks_in_names() -> Case:
    text = lines(
        ' a ,"c, d" , it\'s "so", y ', lambda row: f"{row.a},{'uvw'[row.pick]},{row.at % 4},{row.y}"
    )
    made = of_text(text, skipinitialspace=True)
    frame = made.frame.rename(columns=str.strip)
    return Case(made.content, frame)


def decomposed_name() -> Case:
    text = lines("a,Größe,y", lambda row: f"{row.a},{'uvw'[row.pick]},{row.y}")
    made = of_text(unicodedata.normalize("NFD", text))
    composed = made.frame.rename(columns=lambda name: unicodedata.normalize("NFC", name))
    return Case(made.content, made.frame, variants={"composed": composed})


def years_as_names() -> Case:
    text = lines("2019,2020,y", lambda row: f"{row.a},{row.pick},{row.y}")
    return of_text(text, settings={"data.header": "yes"})


CASES: Mapping[str, Callable[[], Case]] = {
    "row numbers from 0": lambda: row_numbers(0),
    "row numbers from 1": lambda: row_numbers(1),
    "row numbers of R": row_numbers_of_r,
    "row numbers of a sample": shuffled_row_numbers,
    "identifiers": identifiers,
    "two nameless ends": lambda: nameless_ends(";;", ";;"),
    "one nameless end": lambda: nameless_ends(";", ";"),
    "a nameless end below": lambda: nameless_ends("", ";"),
    "a nameless end in the header": lambda: nameless_ends(";", ""),
    "blanks in names": blanks_in_names,
    "a decomposed name": decomposed_name,
    "years as names": years_as_names,
}
