"""The type of a column is inferred from its cells."""

import datetime as dt
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.tables.csv_cases import read, types


def test_numbers_among_missing_values_stay_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1,?,x\nNA,2.5, \n , n/a ,?\n")

    assert table.to_pydict() == {
        "a": [1, None, None],
        "b": [None, 2.5, None],
        "c": ["x", None, None],
    }
    assert types(table) == {"a": "int64", "b": "double", "c": "string"}


def test_a_missing_number_is_missing_however_it_is_written(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n-999,1\n-999.0,2\n3.5,-999\n", na_values=("-999",))

    assert table.to_pydict() == {"a": [None, None, 3.5], "b": [1, 2, None]}


def test_an_empty_cell_is_missing_whatever_else_is(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\n"",1\nNA,2\n', na_values=("-",))["a"].to_pylist() == [None, "NA"]


@pytest.mark.parametrize(
    ("last", "kind"),
    [("2", "int64"), ("2.5", "double"), ("two", "string"), ("012", "string"), ("?", "int64")],
)
def test_the_last_row_counts_for_the_type_of_integers(tmp_path: Path, last: str, kind: str) -> None:
    table = read(tmp_path, "a,b\n" + "1,x\n" * 600_000 + f"{last},y\n")

    assert types(table)["a"] == kind
    assert table.num_rows == 600_001


def test_the_last_row_counts_for_the_type_of_decimal_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n" + "1.50,x\n" * 400_000 + "none,y\n")

    assert table["a"][0].as_py() == "1.50"
    assert table["a"][-1].as_py() == "none"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["007", "12"], "string"),
        (["-07", "12"], "string"),
        (["0", "10"], "int64"),
        (["-0", "10"], "int64"),
        (["0.5", "00.5"], "double"),
        (["12345678901234567890", "1"], "string"),
        (["12345678901234567890", "1.5"], "double"),
        (["9223372036854775807", "1"], "int64"),
        (["1e400", "1"], "double"),
        (["+5", "-5"], "double"),
        (["true", "False"], "bool"),
        (["true", "1"], "string"),
        (["2020-01-31", "2021-12-01"], "date32[day]"),
        (["2020-01-31", "2021-12-01 10:30"], "timestamp[us]"),
        (["2020-01-31T10:00:00.123456789", "2021-12-01"], "timestamp[us]"),
        (["2020-01-31T10:00:00Z", "2021-12-01T10:00:00+02:00"], "timestamp[us]"),
        (["10:30", "11:45:10"], "string"),
        (["31.12.2020", "01.01.2021"], "string"),
    ],
)
def test_cells_decide_the_type(tmp_path: Path, cells: Sequence[str], kind: str) -> None:
    text = "a,b\n" + "".join(f"{cell},x\n" for cell in cells)

    assert types(read(tmp_path, text))["a"] == kind


def test_codes_keep_their_leading_zeros(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n00123,1\n4,2\n")["a"].to_pylist() == ["00123", "4"]


def test_dates_and_times_are_parsed(tmp_path: Path) -> None:
    table = read(tmp_path, "d,t\n2020-01-31,2020-01-31T10:00:00+02:00\n?,\n")

    assert table["d"].to_pylist() == [dt.date(2020, 1, 31), None]
    assert table["t"].to_pylist() == [dt.datetime(2020, 1, 31, 8, 0), None]  # noqa: DTZ001 — UTC, as all here


def test_infinities_are_kept(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\ninf,1.5\n-inf,2.5\n")["a"].to_pylist() == [math.inf, -math.inf]


def test_quoted_numbers_are_numbers(tmp_path: Path) -> None:
    assert types(read(tmp_path, '"a","b"\n"1","2.5"\n"3","4.5"\n')) == {"a": "int64", "b": "double"}


def test_blanks_other_than_spaces_are_stripped(tmp_path: Path) -> None:
    assert read(tmp_path, "a\u00a0,b\n\u00a0x\u2003,1\n\ty,2\n").to_pydict() == {
        "a": ["x", "y"],
        "b": [1, 2],
    }
