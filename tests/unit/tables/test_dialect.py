"""Delimiters, quotes and decimal marks are found out."""

from pathlib import Path

import pytest

from lightmodel.contract.columns import Dialect
from lightmodel.errors import ConfigError
from lightmodel.tables.column_formats import read_formats
from tests.unit.tables.csv_cases import read


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_detected(tmp_path: Path, delimiter: str) -> None:
    lines = [["name", "x", "y"], ["a b", "1", "2.5"], ["c d", "3", "4.5"]]

    table = read(tmp_path, "\n".join(delimiter.join(line) for line in lines))

    assert table.to_pydict() == {"name": ["a b", "c d"], "x": [1, 3], "y": [2.5, 4.5]}


def test_a_mark_that_stands_once_in_every_row_is_no_delimiter(tmp_path: Path) -> None:
    rows = "".join(f"north;{row},{row}\n" for row in range(500))

    assert read(tmp_path, "place,n\n" + rows).column_names == ["place", "n"]


@pytest.mark.parametrize("name", ["tab", "\t", "\\t"])
def test_a_delimiter_can_be_configured(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, "a;b\tc\n1;2\t3\n", delimiter=name).column_names == ["a;b", "c"]


@pytest.mark.parametrize("name", ["ab", "§", '"', ""])
def test_an_invalid_delimiter_is_a_config_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.delimiter"):
        read(tmp_path, "a,b\n1,2\n", delimiter=name)


def test_decimal_commas_are_detected(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b;c\n1,5;-0,25;x\n2;1e3;y,z\n")

    assert table.to_pydict() == {"a": [1.5, 2.0], "b": [-0.25, 1000.0], "c": ["x", "y,z"]}


def test_decimal_commas_are_not_mistaken_for_delimiters(tmp_path: Path) -> None:
    table = read(tmp_path, "1,5;2,5\n3,5;4,5\n", columns=("a", "b"))

    assert table.to_pydict() == {"a": [1.5, 3.5], "b": [2.5, 4.5]}


def test_the_first_decimal_comma_may_come_late(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b\n" + "1;x\n" * 100_000 + "2,5;y\n")

    assert table["a"][-1].as_py() == 2.5


def test_points_as_thousands_separators_are_not_decimal_marks(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b\n1.500;2,5\n2.000;3,5\n", decimal=",")

    assert table["a"].to_pylist() == ["1.500", "2.000"]
    assert table["b"].to_pylist() == [2.5, 3.5]


def test_commas_as_thousands_separators_are_not_decimal_marks(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\n"1,234",1\n"2,345",2\n')["a"].to_pylist() == ["1,234", "2,345"]


@pytest.mark.parametrize(("delimiter", "mark"), [(";", ","), (",", "."), (";", ".")])
def test_groups_of_digits_are_not_decimals(tmp_path: Path, delimiter: str, mark: str) -> None:
    """The small numbers beyond what is looked at first show that 1,234 is above 999."""
    cells = [f"{at % 9 + 1}{mark}{at % 900 + 100}" for at in range(2_000)]
    text = "".join(f"{cell}{delimiter}1\n" for cell in [*cells, "7", "999"])
    table = read(tmp_path, f"a{delimiter}b\n{text}")
    assert table["a"].to_pylist() == [*cells, "7", "999"]
    assert read_formats(table, (), Dialect(decimal=mark), None).table["a"][-3:].to_pylist() == [
        *(2_299, 7, 999),
    ]


@pytest.mark.parametrize(
    "more",
    [
        ["7,5", "8"],  # a decimal
        ["0,125", "8"],
        ["1234", "8"],  # a number that groups would part
        [],  # every number may have three decimals
    ],
)
def test_what_may_be_groups_is_decimal_where_the_column_says_so(
    tmp_path: Path, more: list[str]
) -> None:
    cells = [*(f"{at % 9 + 1},{at % 900 + 100}" for at in range(2_000)), *more]
    table = read(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells))
    assert table["a"].to_pylist() == [float(cell.replace(",", ".")) for cell in cells]


def test_another_column_shows_the_decimal_mark(tmp_path: Path) -> None:
    rows = "".join(f"{at % 9 + 1}.{at % 900 + 100};0,{at}\n" for at in range(1, 50))
    table = read(tmp_path, f"a;b\n{rows}5;7\n")
    assert table["b"].to_pylist()[:2] == [0.1, 0.2]
    assert read_formats(table, (), Dialect(decimal=","), None).table["a"][0].as_py() == 2_101


def test_decimal_commas_in_quotes_are_detected(tmp_path: Path) -> None:
    assert read(tmp_path, 'a,b\n"1,25",1\n"2,5",2\n')["a"].to_pylist() == [1.25, 2.5]


def test_columns_aligned_by_runs_of_blanks_are_read(tmp_path: Path) -> None:
    text = (
        '18.0   8   307.0   130.0  70  1\t"chevrolet chevelle malibu"\n'
        '15.0   8   350.0   ?      70  1\t"buick skylark 320"\n'
        '  9.0  8   304.0   193.0  70  1\t"hi 1200d"  \n'
    )

    table = read(tmp_path, text, columns=tuple("abcdefg"))

    assert table["a"].to_pylist() == [18.0, 15.0, 9.0]
    assert table["d"].to_pylist() == [130.0, None, 193.0]
    assert table["g"].to_pylist() == ["chevrolet chevelle malibu", "buick skylark 320", "hi 1200d"]


def test_runs_of_blanks_are_read_beyond_one_block(tmp_path: Path) -> None:
    lines = [f'  {row}   {row / 2}  "x y"\n' for row in range(60_000)]

    table = read(tmp_path, "n   half  text\n" + "".join(lines))

    assert table.num_rows == 60_000
    assert table["half"].to_pylist() == [row / 2 for row in range(60_000)]
    assert set(table["text"].to_pylist()) == {"x y"}


def test_quotes_after_a_blank_are_quotes(tmp_path: Path) -> None:
    table = read(tmp_path, 'a, b, c\n1, "x, y", 3\n2, "say ""hi"", z", 4\n')

    assert table.to_pydict() == {"a": [1, 2], "b": ["x, y", 'say "hi", z'], "c": [3, 4]}


def test_single_quotes_are_quotes_where_all_texts_have_them(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n'x,y','1'\n'z','2'\n").to_pydict() == {
        "a": ["x,y", "z"],
        "b": [1, 2],
    }


def test_an_apostrophe_is_a_letter(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n'tis,1\nit's,2\n")["a"].to_pylist() == ["'tis", "it's"]
