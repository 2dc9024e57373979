"""Amounts: numbers written with a currency, grouped digits, a percent sign, or in brackets."""

import json
from collections.abc import Callable, Mapping

import pandas as pd

from tests.serve.tables.base import Case, Frame, Row, any_of, lines, of_text

Change = Callable[[Frame], Frame]
BLANKS = ("\u00a0", "\u202f", "\u2009", " ")


def amount(row: Row) -> float:
    """Return an amount with two decimals on which the label depends, above 1,000 in some rows."""
    return round((3000, 900, 20)[row.pick] + row.at / 4, 2)


def written(number: float, group: str, decimal: str, digits: int = 2) -> str:
    """Return a number with marks between its groups of digits."""
    whole, point, decimals = f"{number:,.{digits}f}".partition(".")
    return whole.replace(",", group) + point.replace(".", decimal) + decimals


def number_in(text: str, decimal: str = ".") -> float:
    """Return the number that a text was written from."""
    text = text.removeprefix("kr.")
    digits = "".join(sign for sign in text if sign in "0123456789" + decimal)
    number = float(digits.replace(decimal, ".") + ("e-2" if "%" in text else ""))
    return -number if text.startswith(("(", "-")) else number


def as_numbers(*names: str, decimal: str = ".") -> dict[str, Change]:
    """Return the variant in which columns of amounts are numbers."""

    def change(frame: Frame) -> Frame:
        read = {
            name: [None if pd.isna(one) else number_in(one, decimal) for one in frame[name]]
            for name in names
        }
        return frame.assign(**{name: pd.Series(cells, dtype=float) for name, cells in read.items()})

    return {"numbers": change}


def money() -> Case:
    """As English spreadsheets export it; some cells are empty."""
    text = lines(
        "price,share,people,eu,neg,y",
        lambda row: (
            f'"${amount(row):,.2f}",{float(row.a) * 100:.1f}%,"{row.at * 977 + 5:,}",'
            f"{'' if row.at % 9 == 0 else f'€{row.at / 8:.2f}'},"
            f"{f'({row.a})' if row.at % 2 else row.a},{row.y}"
        ),
    )
    return of_text(
        text, dtype={"neg": str}, variants=as_numbers("price", "share", "people", "eu", "neg")
    )


def thousands() -> Case:
    """Some numbers are too small for a mark."""
    text = lines("a,income,y", lambda row: f'{row.a},"{amount(row) * 4:,.0f}",{row.y}')
    return of_text(text, variants=as_numbers("income"))


def semicolons_and_thousands() -> Case:
    """No other number shows that these commas are not decimal ones, but 900 beside 1,200 does."""
    text = lines(
        "a;income;y",
        lambda row: f"{int(float(row.a) * 1000)};{amount(row) // 1 * 4:,.0f};{row.y}",
    )
    return of_text(text, sep=";", variants=as_numbers("income"))


def european() -> Case:
    """With decimal commas, and the unit behind."""
    text = lines(
        "a;price;share;y",
        lambda row: (
            f"{row.a.replace('.', ',')};{written(amount(row), '.', ',')} €;"
            f"{written(float(row.a) * 100, '.', ',', 1)} %;{row.y}"
        ),
    )
    numbers = as_numbers("price", "share", decimal=",")
    return of_text(text, encoding="cp1252", variants=numbers, sep=";", decimal=",")


def european_among_points() -> Case:
    """In a table whose plain numbers have decimal points."""
    text = lines("a,price,y", lambda row: f'{row.a},"{written(amount(row), ".", ",")}",{row.y}')
    return of_text(text, variants=as_numbers("price", decimal=","))


def other_marks() -> Case:
    """Blanks of several kinds, and apostrophes; some cells are plain numbers."""

    def line(row: Row) -> str:
        crowns = f"kr. {written(amount(row), any_of(row, BLANKS), '.')}"
        francs = written(amount(row), any_of(row, ("'", "\u2019")), ".")
        return f"{row.a},{amount(row) if row.at % 5 == 0 else crowns},CHF {francs},{row.y}"

    return of_text(lines("a,price,francs,y", line), variants=as_numbers("price", "francs"))


def indian_lakhs() -> Case:
    text = lines(
        "a,price,y",
        lambda row: f'{row.a},"₹{row.pick + 1},{row.at % 90 + 10},{row.at + 100}",{row.y}',
    )
    return of_text(text, variants=as_numbers("price"))


def target_in_money() -> Case:
    text = lines("a,c,y", lambda row: f'{row.a},{"uvw"[row.pick]},"${amount(row):,.2f}"')
    return of_text(text, settings={"train.task": "regression"})


def json_amounts() -> Case:
    """Texts and numbers in one column of records."""
    frame = money().frame
    records = json.loads(frame.to_json(orient="records"))
    for record in records[::3]:
        record["price"] = number_in(record["price"])
    text = "".join(json.dumps(record) + "\n" for record in records)
    return Case(text.encode(), frame, file="rows.jsonl", encoding="", variants=money().variants)


CASES: Mapping[str, Callable[[], Case]] = {
    "money": money,
    "thousands": thousands,
    "semicolons and thousands": semicolons_and_thousands,
    "European amounts": european,
    "European amounts among points": european_among_points,
    "other marks": other_marks,
    "lakhs": indian_lakhs,
    "target in money": target_in_money,
    "JSON Lines of amounts": json_amounts,
}
