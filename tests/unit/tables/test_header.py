"""Names of columns: found, given, missing, repeated."""

import logging
from pathlib import Path

import pytest

from lightmodel.errors import ContractViolation
from tests.unit.tables.csv_cases import ADULT, ADULT_COLUMNS, read, refusal


def test_a_file_without_names_asks_for_them(tmp_path: Path) -> None:
    error = refusal(tmp_path, ADULT)

    assert "the first line looks like data" in error.message
    assert "data.columns" in error.hint
    assert 'data.header = "yes"' in error.hint
    assert "State-gov" not in error.message


def test_a_first_row_whose_texts_occur_again_is_data(tmp_path: Path) -> None:
    assert "looks like data" in refusal(tmp_path, "p,x,s\ne,x,s\ne,b,s\np,x,y\n").message


def test_a_first_row_whose_texts_never_occur_again_is_a_header(tmp_path: Path) -> None:
    assert read(tmp_path, "name,kind\nbob,x\neve,y\n").column_names == ["name", "kind"]


def test_years_can_be_names(tmp_path: Path) -> None:
    assert "looks like data" in refusal(tmp_path, "2019,2020\n1,2\n3,4\n").message
    assert read(tmp_path, "2019,2020\n1,2\n3,4\n", header="yes").column_names == ["2019", "2020"]


def test_a_file_configured_without_a_header_needs_names(tmp_path: Path) -> None:
    assert "there is no header" in refusal(tmp_path, "a,b\nc,d\n", header="no").message


def test_configured_names_replace_those_in_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1,2\n3,4\n", columns=("x", "y"))

    assert table.to_pydict() == {"x": [1, 3], "y": [2, 4]}


def test_configured_names_for_a_file_without_a_header_drop_no_row(tmp_path: Path) -> None:
    assert read(tmp_path, "bob,x\neve,y\n", columns=("name", "kind")).num_rows == 2


def test_as_many_names_as_columns_must_be_configured(tmp_path: Path) -> None:
    assert (
        "5 columns, and data.columns names 4"
        in refusal(tmp_path, ADULT, columns=ADULT_COLUMNS[:4]).message
    )


def test_all_duplicate_names_are_listed(tmp_path: Path) -> None:
    with pytest.raises(ContractViolation) as caught:
        read(tmp_path, "a,b,a,c,b,a\n1,2,3,4,5,6\n")

    assert {item.column: item.rule for item in caught.value.violations} == {
        "a": "duplicate_column",
        "b": "duplicate_column",
    }
    assert "3 times" in caught.value.message


def test_columns_without_a_name_are_counted(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a,,c,\n1,2,3,4\n")

    assert "2 of 4 columns have no name (counted from 1: 2, 4)" in error.message


@pytest.mark.parametrize("numbers", [(0, 1), (1, 2), (412, 7)])
def test_a_nameless_row_number_is_left_out(
    tmp_path: Path, numbers: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = numbers
    with caplog.at_level(logging.INFO):
        table = read(tmp_path, f",a,b\n{first},5,x\n{second},6,y\n")

    assert table.to_pydict() == {"a": [5, 6], "b": ["x", "y"]}
    assert "only numbers the rows" in caplog.text


def test_row_numbers_of_r_have_not_even_an_empty_name(tmp_path: Path) -> None:
    assert read(tmp_path, '"a","b"\n"1",5,"x"\n"2",6,"y"\n').to_pydict() == {
        "a": [5, 6],
        "b": ["x", "y"],
    }


@pytest.mark.parametrize("text", [",a\n7,1\n7,2\n", ",a\nx,1\ny,2\n", ",a\n0,1\n,2\n"])
def test_another_nameless_first_column_is_refused(tmp_path: Path, text: str) -> None:
    assert "no name" in refusal(tmp_path, text).message


@pytest.mark.parametrize("text", ["a,b,\n1,2,\n3,4,\n", "a,b\n1,2,\n3,4,\n", "a,b,\n1,2\n3,4\n"])
def test_a_delimiter_too_many_at_the_line_end_makes_no_column(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).to_pydict() == {"a": [1, 3], "b": [2, 4]}


def test_configured_names_equal_to_the_first_row_are_a_header(tmp_path: Path) -> None:
    table = read(tmp_path, "Name,kind\nbob,x\neve,y\n", columns=("name", "Kind"))

    assert table.to_pydict() == {"name": ["bob", "eve"], "Kind": ["x", "y"]}
