"""Texts of amounts are numbers, by the format of their column."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.amounts import AmountFormat
from lightmodel.contract.cells import INVALID, MISSING, RAGGED, is_marker
from lightmodel.contract.columns import Column, ColumnType, Role
from lightmodel.contract.formats import plain_decimal, text_parser

FORMATS = st.builds(
    AmountFormat,
    currency=st.sampled_from(["", "$", "€", "US$", "CHF", "kr.", "zł"]),
    group=st.sampled_from(["", " ", "'"]),
    decimal=st.sampled_from([".", ","]),
) | st.sampled_from([AmountFormat("$", ",", "."), AmountFormat("€", ".", ",")])
ENGLISH = AmountFormat("$", ",", ".")
GERMAN = AmountFormat("€", ".", ",")
PERCENT = AmountFormat("", "", ".", percent=True)


def column(written: str) -> Column:
    return Column("a", Role.FEATURE, ColumnType.NUMBER, missing=True, format=written)


@pytest.mark.parametrize(
    ("written", "text", "number"),
    [
        (ENGLISH, "$1,100.90", 1100.9),
        (ENGLISH, "-$1,100.90", -1100.9),
        (ENGLISH, "$-5", -5.0),
        (ENGLISH, "$ 5", 5.0),
        (ENGLISH, "5 $", 5.0),
        (ENGLISH, "($1,100.90)", -1100.9),
        (ENGLISH, "$(1.3)", -1.3),
        (ENGLISH, "$.50", 0.5),
        (ENGLISH, "$12,34,567", 1234567.0),  # as in India
        (ENGLISH, "\u22125", -5.0),
        (ENGLISH, "1100.9", 1100.9),
        (ENGLISH, "1e3", 1000.0),
        (GERMAN, "1.234,56 €", 1234.56),
        (GERMAN, "1.234", 1234.0),
        (GERMAN, "1234.5", 1234.5),  # as a float is written
        (AmountFormat("", "'", "."), "1\u2019234.50", 1234.5),
        (AmountFormat("", " ", ","), "1\u202f234\u00a0567,5", 1234567.5),
        (AmountFormat("CHF", "", "."), "CHF 12.50", 12.5),
        (PERCENT, "12%", 0.12),
        (PERCENT, "13.4 %", 0.134),
        (PERCENT, "0.134", 0.134),  # as Excel's cells hold it
        (PERCENT, "(1.5%)", -0.015),
    ],
)
def test_a_text_of_the_format_is_a_number(written: AmountFormat, text: str, number: float) -> None:
    assert written.parse([text]) == [number]


@pytest.mark.parametrize(
    "text",
    ["€5", "$1,10.5", "$1,2345", "--5", "-$-5", "(-5)", "((5))", "5%", "$", "()", "$ ,", "1,5 x"],
)
def test_another_text_is_invalid(text: str) -> None:
    assert is_marker(np.array(ENGLISH.parse([text])), INVALID).all()


@given(FORMATS)
def test_a_format_is_read_from_what_is_stored(written: AmountFormat) -> None:
    kind, _, pattern = str(written).partition(" ")
    assert kind == "amount"
    assert AmountFormat.from_pattern(pattern) == written


@given(FORMATS, st.integers(-(10**9), 10**9))
def test_an_amount_is_read_as_it_was_written(written: AmountFormat, cents: int) -> None:
    number = cents / 100
    digits = f"{abs(number):,.2f}".replace(",", "G").replace(".", written.decimal)
    text = ("-" if number < 0 else "") + written.currency + digits.replace("G", written.group)
    assert written.parse([text]) == [number]


def test_missing_and_ragged_cells_keep_their_marks() -> None:
    parse = text_parser(column(str(ENGLISH)), ["n/a"], ".")
    numbers = parse(["$5", "", None, "n/a", "x", "$5"])
    assert numbers[[0, 5]].tolist() == [5.0, 5.0]
    marks = (MISSING, RAGGED, MISSING, INVALID)
    assert all(is_marker(numbers[[at]], mark).all() for at, mark in enumerate(marks, start=1))
    assert len(parse([])) == 0


def test_plain_numbers_have_the_decimal_mark_of_their_table() -> None:
    assert text_parser(column(str(ENGLISH)), [], ",")(["5,5"]).tolist() == [5.5]
    assert math.isnan(text_parser(column(str(ENGLISH)), [], ".")(["5,5"])[0])


@given(FORMATS, st.sampled_from([".", ","]), st.integers(-(10**7), 10**7))
def test_a_plain_number_with_the_mark_of_the_column_is_read_as_such(
    written: AmountFormat, decimal: str, thousandths: int
) -> None:
    """As /sample.csv has it."""
    number = thousandths / 1000
    text = repr(number).replace(".", plain_decimal(column(str(written)), decimal))
    assert text_parser(column(str(written)), [], decimal)([text]).tolist() == [number]


@pytest.mark.parametrize("written", ["", "date %d.%m.%Y"])
def test_other_columns_have_the_mark_of_their_table(written: str) -> None:
    assert plain_decimal(column(written), ",") == ","
