"""Cells: what is missing, categories and booleans."""

import datetime as dt
import io
import unicodedata
from collections.abc import Callable, Mapping
from typing import Literal

import pandas as pd

from tests.serve.tables.base import NA, Case, Frame, any_of, lines, of_text, picked


def missing_among_numbers() -> Case:
    gaps = ("?", "NA", " ", " n/a ", "NaN", "")
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{gaps[row.at % 6] if row.at % 7 == 0 else row.a},{row.pick},"
            f"{gaps[row.at % 6] if row.at % 5 == 0 else 'uvw'[row.pick]},{row.y}"
        ),
    )
    return of_text(text, skipinitialspace=True, na_values=[*NA, " ", "n/a "])


def own_missing() -> Case:
    """`data.na_values = ["", "-1"]`: then NA is a category, and -1 is none in any column."""
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{'-1' if row.at % 7 == 0 else row.a},{(-1, 5, 9)[row.pick]},"
            f"{('NA', '-1', 'v')[row.pick]},{row.y}"
        ),
    )
    kept = pd.read_csv(io.StringIO(text), keep_default_na=False)
    return of_text(
        text,
        settings={"data.na_values": ["", "-1"]},
        na_values=["", "-1"],
        variants={"as they stand": lambda _: kept},
    )


def missing_number_written_twice() -> Case:
    text = lines(
        "a,b,y",
        lambda row: (
            f"{('-999', '-999.0', '-9.99e2')[row.pick] if row.at % 3 == 0 else row.a},{row.pick},{row.y}"
        ),
    )
    kept = pd.read_csv(io.StringIO(text))
    return of_text(
        text,
        settings={"data.na_values": ["", "-999"]},
        na_values=["", "-999"],
        variants={"as numbers": lambda _: kept},
    )


def missing_amount() -> Case:
    """-999 in an amount, in a plain number, and in the texts of both."""
    text = lines(
        "price,b,y",
        lambda row: (
            f"{('$-999', '-$999.00', '-999')[row.pick] if row.at % 3 == 0 else f'${row.a}'},"
            f"{-999 if row.at % 4 == 0 else row.pick},{row.y}"
        ),
    )
    dtype = {"price": str, "b": str}

    def other_texts(frame: Frame) -> Frame:
        return frame.assign(b=[f"{one}.0" for one in frame["b"]])

    settings = {"data.na_values": ["", "-999"]}
    return of_text(text, settings=settings, dtype=dtype, variants={"other texts": other_texts})


def missing_zero() -> Case:
    """0 is no value in a column of numbers, but false, midnight and no time at all are values."""
    times = ("00:00:00", "09:30:00", "18:00:00")
    text = lines(
        "n,b,t,d,y",
        lambda row: (
            f"{0 if row.at % 4 == 0 else row.a},{('true', 'false')[row.at % 2]},{times[row.pick]},"
            f"{row.pick * 13}:00:00,{row.y + 1}"
        ),
    )

    def typed(frame: Frame) -> Frame:
        times = [dt.time.fromisoformat(cell) for cell in frame["t"]]
        return frame.assign(t=pd.Series(times, dtype=object), n=frame["n"].astype(float))

    settings = {"data.na_values": ["", "0"]}
    return of_text(text, settings=settings, variants={"typed": typed})


def formula_errors() -> Case:
    """What a spreadsheet writes where a formula has no value, in place of a number and of a text."""
    errors = ("#DIV/0!", "#VALUE!", "#REF!", "#N/A", "#NAME?", "#NUM!", "#NULL!")
    text = lines(
        "a,b,c,y",
        lambda row: (
            f"{errors[row.at % 7] if row.at % 5 == 0 else row.a},{row.pick},"
            f"{errors[row.at % 7] if row.at % 8 == 0 else 'uvw'[row.pick]},{row.y}"
        ),
    )
    gaps = pd.read_csv(io.StringIO(text), na_values=list(errors))
    return of_text(text, variants={"as gaps": lambda _: gaps})


def empty_column() -> Case:
    text = lines("a,b,c,y", lambda row: f"{row.a},,{'uvw'[row.pick]},{row.y}")
    return of_text(text)


def whole_numbers_with_gaps() -> Case:
    """pandas reads them as floats, and writes 7.0."""
    text = lines("a,b,y", lambda row: f"{row.a},{'' if row.at % 11 == 0 else row.pick + 7},{row.y}")
    return of_text(text)


def codes_and_letters() -> Case:
    """Categories 7, 8 and A: whole numbers among words."""
    return picked(("7", "8", "A"), dtype={"c": str}, variants={"numbers": _numbers_where_they_are})


def codes_and_letters_with_gaps() -> Case:
    text = lines(
        "a,c,y",
        lambda row: f"{row.a},{'' if row.at % 8 == 0 else ('7', '8', 'A')[row.pick]},{row.y}",
    )
    return of_text(text, dtype={"c": str}, variants={"numbers": _numbers_where_they_are})


def _numbers_where_they_are(frame: Frame) -> Frame:
    cells = [float(cell) if str(cell).isdigit() else cell for cell in frame["c"]]
    return frame.assign(c=pd.Series(cells, dtype=object))


def points_that_matter() -> Case:
    """Two texts of one number: whether they are told apart or not, it is so in every form."""
    return picked(("7", "7.0", "A"), dtype={"c": str})


def padded_codes() -> Case:
    return picked(("00123", "4", "007"), dtype={"c": str})


def long_codes() -> Case:
    return picked(
        ("12345678901234567890", "12345678901234567891", "98765432109876543210"), dtype={"c": str}
    )


def booleans() -> Case:
    words = (("true", "True", "TRUE"), ("false", "False", "FALSE"), ("false", "False", "FALSE"))
    text = lines("a,b,y", lambda row: f"{row.a},{any_of(row, words[row.pick])},{row.y}")
    return of_text(text, variants=_truths("b"))


def booleans_with_gaps() -> Case:
    words = (("true", "True", "TRUE"), ("false", "False", "FALSE"), ("",))
    text = lines("a,b,y", lambda row: f"{row.a},{any_of(row, words[row.pick])},{row.y}")
    return of_text(text, variants=_truths("b"))


def _truths(name: str) -> dict[str, Callable[[Frame], Frame]]:
    """Return the ways to write a boolean column."""

    def mapped(yes: object, no: object) -> Callable[[Frame], Frame]:
        def change(frame: Frame) -> Frame:
            cells = [
                None if pd.isna(cell) else yes if str(cell).lower() == "true" else no
                for cell in frame[name]
            ]
            return frame.assign(**{name: pd.Series(cells, dtype=object)})

        return change

    def floats(frame: Frame) -> Frame:
        return frame.assign(**{name: mapped(1.0, 0.0)(frame)[name].astype(float)})

    return {
        "booleans": mapped(True, False),
        "ones": mapped(1, 0),
        "floats": floats,
        "words": mapped("TRUE", "false"),
        "digits": mapped("1", "0"),
        "digits with a point": mapped("1.0", "0.0"),
    }


def booleans_and_a_one() -> Case:
    """A 1 among words makes a category of them: 1 and True stay what they were in training."""
    return picked(("true", "True", "1"), dtype={"c": str})


def flags() -> Case:
    """True, False and Unknown: a category, whose True is JSON's true."""

    def real(frame: Frame) -> Frame:
        cells = [{"True": True, "False": False}.get(cell, cell) for cell in frame["c"]]
        return frame.assign(c=pd.Series(cells, dtype=object))

    def lower(frame: Frame) -> Frame:
        return frame.assign(c=[cell if cell == "Unknown" else cell.lower() for cell in frame["c"]])

    return picked(
        ("True", "False", "Unknown"), dtype={"c": str}, variants={"real": real, "lower": lower}
    )


def times_of_day() -> Case:
    hours = ("04:00:00", "09:30:00", "18:00:00")

    def times(frame: Frame) -> Frame:
        cells = [dt.time.fromisoformat(cell) for cell in frame["c"]]
        return frame.assign(c=pd.Series(cells, dtype=object))

    return picked(hours, variants={"times": times})


def decomposed() -> Case:
    """Zürich is written in both ways in one column; both are one value."""
    towns = ("Zürich", "Genf", "Besançon")
    text = lines(
        "a,c,y",
        lambda row: (
            f"{row.a},{unicodedata.normalize('NFD' if row.at % 2 else 'NFC', towns[row.pick])},{row.y}"
        ),
    )

    def in_form(form: Literal["NFC", "NFD"]) -> Callable[[Frame], Frame]:
        return lambda frame: frame.assign(
            c=[unicodedata.normalize(form, cell) for cell in frame["c"]]
        )

    return of_text(text, variants={"composed": in_form("NFC"), "decomposed": in_form("NFD")})


CASES: Mapping[str, Callable[[], Case]] = {
    "missing among numbers": missing_among_numbers,
    "own missing": own_missing,
    "a missing number": missing_number_written_twice,
    "a missing amount": missing_amount,
    "a missing zero": missing_zero,
    "formula errors": formula_errors,
    "an empty column": empty_column,
    "whole numbers with gaps": whole_numbers_with_gaps,
    "7, 8, A": codes_and_letters,
    "7, 8, A with gaps": codes_and_letters_with_gaps,
    "7 and 7.0": points_that_matter,
    "padded codes": padded_codes,
    "long codes": long_codes,
    "booleans": booleans,
    "booleans with gaps": booleans_with_gaps,
    "booleans and a 1": booleans_and_a_one,
    "True, False, Unknown": flags,
    "times of day": times_of_day,
    "decomposed": decomposed,
}
