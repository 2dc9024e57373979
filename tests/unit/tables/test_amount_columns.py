"""Columns of amounts are read as numbers, as their texts are parsed one by one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightmodel.config import DataSection
from lightmodel.contract.amounts import AmountFormat
from lightmodel.contract.cells import INVALID, MISSING, is_marker
from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.tables.amounts import convert_amounts, read_amounts
from lightmodel.tables.column_formats import read_formats
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_rules import RowRules
from tests.fakes.reading import (
    arrow_rows,
    features_of,
    plain_nans,
    read_for_training,
    read_request,
)

SIGNS = st.sampled_from(["", "", "", "-", "+", "\u2212"])
UNITS = st.sampled_from(["", "", "$", "€", "US$", "kr.", "CHF "])
DIGITS = st.sampled_from(
    [
        "5",
        "0",
        "1100",
        "12",
        "1,100",
        "1.100",
        "1 100",
        "1\u202f100",
        "1'100",
        "1\u2019100",
        "12,34,567",
    ]
)
DECIMALS = st.sampled_from(["", "", ".90", ",90", ".5", ",500", "."])
ENDS = st.sampled_from(["", "", "%", " %", " €", "-", " "])
AMOUNTS = st.builds(
    lambda sign, unit, digits, decimals, end, brackets: (
        f"({unit}{digits}{decimals}{end})" if brackets else f"{sign}{unit}{digits}{decimals}{end}"
    ).strip(),
    *(SIGNS, UNITS, DIGITS, DECIMALS, ENDS),
    st.sampled_from([False, False, False, True]),
)
TEXTS = st.lists(
    st.one_of(AMOUNTS, st.none(), st.text("0123456789.,-+%$€()' e", max_size=7)), max_size=5
)
ROWS = [("0.5", "1"), ("1.5", "0"), ("2.5", "1"), ("3.25", "0")]  # of the columns a and y
FORMATS = st.builds(
    AmountFormat,
    currency=st.sampled_from(["", "$", "€", "kr."]),
    group=st.sampled_from(["", " ", "'"]),
    decimal=st.sampled_from([".", ","]),
)


def column(texts: list[str | None]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.string())])


def read(texts: list[str | None], decimal: str = ".") -> tuple[list[float | None], str] | None:
    found = read_amounts(column(texts), decimal)
    return found and (found[0].to_pylist(), found[1])


@pytest.mark.parametrize(
    ("texts", "written", "numbers"),
    [
        (["$5", "5", None, "$1,000"], "$#,##0.##", [5, 5, None, 1000]),
        (["€1.234", "€13.440"], "€#.##0,##", [1234, 13440]),  # money has no three decimals
        (["€1.234", "€1.20"], "€0.##", [1.234, 1.2]),
        (["102,521", "7"], "#,##0.##", [102521, 7]),
        (["1.234,56", "1.234"], "#.##0,##", [1234.56, 1234]),
        (["1.234.567", "5"], "#.##0,##", [1234567, 5]),
        (["1.234"] * 5 + ["5"], "#.##0,##", [1234] * 5 + [5]),
        (["1 234", "5"], "# ##0.##", [1234, 5]),
        (["1'234.5", "1\u2019234"], "#'##0.##", [1234.5, 1234]),
        (["CHF 5", "7 CHF"], "CHF0.##", [5, 7]),
        (["kr. 5", "kr. 7,5"], "kr.0,##", [5, 7.5]),
        (["13.4%", "0"], "0.##%", [0.134, 0]),
        (["(1,234)", "(5)", "-7"], "#,##0.##", [-1234, -5, -7]),
        (["12,34,567", "5"], "#,##0.##", [1234567, 5]),
    ],
)
def test_a_column_that_is_written_in_one_way_is_numbers(
    texts: list[str | None], written: str, numbers: list[float | None]
) -> None:
    assert read(texts) == (numbers, f"amount {written}")
    assert read(["1", *texts] * 150 + ["1"]) == (
        [1, *numbers] * 150 + [1],
        f"amount {written}",
    ) or ("%" in written)


@pytest.mark.parametrize(
    "texts",
    [
        ["$5", "€5"],
        ["12%", "5"],
        ["$5", "5%"],
        ["1,234.5", "1.234,5"],
        ["007", "$5"],  # a code
        ["1,5", "2"],  # of a table with decimal points: perhaps a list
        ["1", "2"],
        ["5.12.2023"],
        ["10:30"],
        ["+49 170 123 456"],
        ["1 23 456"],
        ["192.168.100.200", "10.0.0.1"],
        ["$99999999999999999999"],  # an identifier
        ["$5"] * 200 + ["none"],
        ["1.234"] * 5 + ["1234"],  # plain numbers of a column of texts
        ["1.234", "5"],
        ["x"],
        [],
    ],
)
def test_any_other_column_stays_text(texts: list[str | None]) -> None:
    assert read(texts) is None


def test_the_table_s_decimal_mark_decides_what_its_column_leaves_open() -> None:
    assert read(["1,234%", "5%"], ",") == ([0.01234, 0.05], "amount 0,##%")
    assert read(["1,234%", "5%"], ".") == ([12.34, 0.05], "amount #,##0.##%")


@settings(max_examples=400)
@given(TEXTS, st.sampled_from([".", ","]))
def test_a_column_is_read_as_its_texts_are_parsed(texts: list[str | None], decimal: str) -> None:
    found = read(texts, decimal)
    if found is None:
        return
    kind, _, pattern = found[1].partition(" ")
    assert kind == "amount"
    present = [text for text in texts if text is not None]
    numbers = [one for one in found[0] if one is not None]
    assert numbers == AmountFormat.from_pattern(pattern).parse(present, "x")
    assert [one is None for one in found[0]] == [text is None for text in texts]
    assert read(texts[::-1], decimal) == (found[0][::-1], found[1])


@settings(max_examples=200)
@given(TEXTS, st.sampled_from([".", ","]))
def test_the_order_of_the_rows_does_not_matter(texts: list[str | None], decimal: str) -> None:
    many = [text for text in texts for _ in range(150)]
    found, reverse = read(many, decimal), read(many[::-1], decimal)
    assert (found and found[1]) == (reverse and reverse[1])
    if found and reverse:
        assert found[0] == reverse[0][::-1]


@settings(max_examples=400)
@given(FORMATS, TEXTS)
def test_a_format_holds_for_a_column_if_it_does_for_each_text(
    written: AmountFormat, texts: list[str | None]
) -> None:
    found = convert_amounts(column(texts), written)
    parsed = np.array(written.parse([text for text in texts if text is not None], "x"))
    if found is not None:
        assert found.drop_null().to_pylist() == parsed.tolist()
        return
    # a plain number with an exponent is parsed, but is not written in the format
    is_other = is_marker(parsed, INVALID) | is_marker(parsed, MISSING)
    assert is_other.any() or any("e" in (text or "") for text in texts)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.one_of(
        st.lists(AMOUNTS, min_size=4, max_size=4), st.lists(DIGITS, min_size=4, max_size=4)
    ),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_a_table_is_read_in_requests_as_in_training(
    tmp_path: Path, texts: list[str], delimiter: str
) -> None:
    path, rows = (
        tmp_path / "rows.csv",
        [(text, *row) for text, row in zip(texts, ROWS, strict=True)],
    )
    lines = [delimiter.join(f'"{cell}"' for cell in row) for row in [("c", "a", "y"), *rows]]
    path.write_text("\n".join(lines), encoding="utf-8")
    trained = read_for_training(path, DataSection(id="", delimiter=delimiter))
    expected = plain_nans(trained.matrix)
    posted = read_request(trained.contract, arrow_rows, DataSection(), [path.read_bytes()])
    assert not any(block.violations for block in posted)
    assert np.array_equal(features_of(posted), expected, equal_nan=True)
    records = [{"c": text, "a": float(a)} for text, a, _ in rows]
    block = JsonBlocks(RowRules(trained.contract), frozenset()).block(records)
    assert not block.violations
    assert np.array_equal(block.features, expected, equal_nan=True)


def contract(kind: ColumnType, written: str = "") -> Contract:
    price = Column("price", Role.FEATURE, kind, missing=True, format=written)
    return Contract((price,), Task(TaskKind.REGRESSION))


TABLE = pa.table({"price": ["$5", "$7.5", None, "-1"], "b": [1, 2, 3, 4]})
DIALECT = Dialect(na_values=("", "-1"))


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (None, [5.0, 7.5, None, None]),
        (contract(ColumnType.NUMBER), [5.0, 7.5, None, None]),
        (contract(ColumnType.NUMBER, "amount $#,##0.##"), [5.0, 7.5, None, None]),
        (contract(ColumnType.NUMBER, "amount €#,##0.##"), None),  # validation names the rows
        (contract(ColumnType.CATEGORY), None),
    ],
)
def test_the_contract_in_force_decides(
    accepted: Contract | None, expected: list[float | None] | None
) -> None:
    read = read_formats(TABLE, (), DIALECT, accepted)
    assert read.table["b"] == TABLE["b"]
    if expected is None:
        assert read.table["price"] == TABLE["price"]
        assert not read.formats
    else:
        assert read.table["price"].to_pylist() == expected
        kept = accepted.columns[0].format if accepted else ""
        assert read.formats == {"price": kept or "amount $0.##"}


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["5"] * 20 + ["none"], "1 of 21 are no numbers (rows 21 below the header)"),
        (["$5"] * 20 + [None, "-"], "1 of 22 are no numbers (rows 22 below the header)"),
        (["$5"] * 80 + ["-"] * 7, "(rows 81, 82, 83, 84, 85, … below the header)"),
        (
            [*map(str, range(1900, 1970)), *["Ancient"] * 30],
            "30 of 100 are no numbers (rows 71, 72",
        ),
        (["7", "8", "A"] * 30 + ["9"] * 5, ""),
        (["$5"] * 20 + ["€5"], "not all written in one way"),
        (["007", "5"], ""),
        (["99999999999999999999", "5"], ""),
        (["a", "b"], ""),
        (["31.12.2024"] * 20 + ["-"], ""),
        (["1,5", "2"], ""),
        (["5"] * 5 + ["a", "b"], ""),
    ],
)
def test_a_column_that_is_nearly_one_of_amounts_is_named(
    texts: list[str | None], reason: str
) -> None:
    found = read_formats(pa.table({"c": texts}), (), Dialect(), None).warnings
    assert len(found) == bool(reason)
    assert all("'c'" in one and reason in one and "€" not in one for one in found)


def test_a_column_that_is_to_stay_text_does() -> None:
    assert read_formats(TABLE, ["price"], DIALECT, None).table is TABLE
