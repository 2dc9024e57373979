"""Delimiters, quotes and decimal marks are found out."""

from pathlib import Path

import pytest

from lightmodel.errors import ConfigError
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
