"""CSV files as they are found, files that are none, and any table in any dialect."""

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmodel.config import DataSection
from lightmodel.errors import DataError, LightModelError
from lightmodel.tables.reading import read_table
from tests.unit.tables.csv_cases import ADULT, ADULT_COLUMNS, read, refusal, types


def test_the_wine_file_has_semicolons_and_quoted_names_with_spaces(tmp_path: Path) -> None:
    header = '"fixed acidity";"volatile acidity";"pH";"quality"\n'

    table = read(tmp_path, header + "7;0.27;3;6\n6.3;0.3;3.3;5\n")

    assert types(table) == {
        "fixed acidity": "double",
        "volatile acidity": "double",
        "pH": "double",
        "quality": "int64",
    }
    assert table["fixed acidity"].to_pylist() == [7.0, 6.3]


def test_the_students_file_keeps_none_as_a_category(tmp_path: Path) -> None:
    text = "lunch,course,math\nstandard,none,72\nfree/reduced,completed,69\nstandard,None,90\n"

    table = read(tmp_path, text)

    assert table["course"].to_pylist() == ["none", "completed", "None"]
    assert types(table)["math"] == "int64"


def test_the_adult_file_has_no_header_blanks_and_question_marks(tmp_path: Path) -> None:
    table = read(tmp_path, ADULT, columns=ADULT_COLUMNS)

    assert table.column_names == list(ADULT_COLUMNS)
    assert table["age"].to_pylist() == [39, 50, 38, 53]
    assert table["work"].to_pylist() == ["State-gov", "Self-emp", None, "State-gov"]
    assert table["weight"].to_pylist() == [77516, 83311, 215646, None]
    assert table["income"].to_pylist() == ["<=50K", "<=50K", ">50K", ">50K"]


def test_yes_and_no_stay_labels_and_ids_may_repeat(tmp_path: Path) -> None:
    table = read(tmp_path, "id,churn\n7,Yes\n7,No\n8,Yes\n")

    assert table.to_pydict() == {"id": [7, 7, 8], "churn": ["Yes", "No", "Yes"]}


def test_ragged_rows_are_named_by_their_lines(tmp_path: Path) -> None:
    lines = ["a,b,c", '1,"two\nlines",3', "", "1,2", *["1,2,3"] * 4, *["1,2,3,4"] * 5, "Elm Street"]

    error = refusal(tmp_path, "\n".join(lines))

    assert error.message == (
        "rows.csv: 7 lines do not have 3 cells: line 5 has 2, line 10 has 4, line 11 has 4, "
        "line 12 has 4, line 13 has 4, …"
    )
    assert "','" in error.hint


def test_a_ragged_row_far_below_is_named_too(tmp_path: Path) -> None:
    text = "a,b\n" + "1,2\n" * 300_000 + "1,2,3\n"

    assert "1 line does not have 2 cells: line 300,002 has 3" in refusal(tmp_path, text).message


@pytest.mark.parametrize(("before", "line"), [("", 2), ("1,x\n", 3), ("1,x\n" * 150_000, 150_002)])
def test_an_error_locates_a_quote_that_is_never_closed(
    tmp_path: Path, before: str, line: int
) -> None:
    text = "a,b\n" + before + '"2,y\n' + "3,z\n" * 200_000

    assert (
        f"the row that begins in line {line:,} goes on for more than"
        in refusal(tmp_path, text).message
    )


def test_a_cell_longer_than_a_block_is_found(tmp_path: Path) -> None:
    text = "a,b\n" + "1,x\n" * 100_000 + f"2,{'x' * 3_000_000}\n"

    assert "the row that begins in line 100,002 goes on" in refusal(tmp_path, text).message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "holds no rows"),
        (b"\n\n  \n", "holds no rows"),
        (b"a,b\n", "a header and no rows"),
        (b"a,b", "a header and no rows"),
        (b"a,b\n1,\0\n", "this is binary data"),
        (bytes(range(256)) * 9, "this is binary data"),
        (b"\x01\x02\x03\x04 rubbish", "this is binary data"),
        (b"  <!DOCTYPE HTML>\n<html><body>", "this is an HTML page"),
        (b"\xef\xbb\xbf<html>", "this is an HTML page"),
        (b"<?xml version='1.0'?><rows/>", "this is an XML document"),
    ],
)
def test_a_file_that_is_not_a_table_is_refused_with_its_format(
    tmp_path: Path, content: bytes, words: str
) -> None:
    assert words in refusal(tmp_path, content).message


def test_an_error_names_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.csv: there is no such file"):
        read_table([tmp_path / "rows.csv"], DataSection())


TEXT = st.text("abc äöü.,;|\t\"'\n-0", max_size=8).map(lambda inner: f"t{inner}t")
CELLS: Sequence[st.SearchStrategy[Any]] = (
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    TEXT,
)


@st.composite
def tables(draw: st.DrawFn) -> list[list[Any]]:
    """Columns of one type each, with gaps, of equal length."""
    rows = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(CELLS), min_size=2, max_size=5))
    return [draw(st.lists(st.none() | kind, min_size=rows, max_size=rows)) for kind in kinds]


DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
    }
)


@settings(max_examples=150)
@given(
    tables(),
    DIALECTS,
    st.sampled_from([".", ","]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
def test_a_file_of_pythons_csv_module_is_read_back_equal(
    columns: list[list[Any]], dialect: dict[str, Any], decimal: str, encoding: str
) -> None:
    names = [f"name {at}" for at in range(len(columns))]
    sink = io.StringIO()
    writer = csv.writer(sink, **dialect)
    writer.writerow(names)
    for row in zip(*columns, strict=True):
        writer.writerow([_written(cell, decimal) for cell in row])
    # a comma that parts numbers otherwise parted is clear between semicolons only
    told = "auto" if decimal == "." or dialect["delimiter"] == ";" else decimal
    with tempfile.TemporaryDirectory() as folder:
        table = read(Path(folder), sink.getvalue().encode(encoding), decimal=told)

    assert table.column_names == names
    assert [table.column(at).to_pylist() for at in range(len(names))] == columns


def _written(cell: object, decimal: str) -> object:
    return str(cell).replace(".", decimal) if isinstance(cell, float) else cell


@settings(max_examples=150)
@given(
    st.sampled_from(
        [b"", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\xff\xfe", b"a,b\n", b'{"a":', b"["]
    ),
    st.binary(max_size=200) | st.text("a1.,;\"'\n\t {}[]:", max_size=60).map(str.encode),
    st.sampled_from(["rows.csv", "rows.parquet", "rows.jsonl", "rows.xlsx", "rows.csv.gz", "rows"]),
)
def test_any_bytes_raise_only_errors_of_the_project(start: bytes, rest: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(start + rest)
        outcome = _outcome(path)

    assert outcome == "a table" or name in outcome


def _outcome(path: Path) -> str:
    try:
        read_table([path], DataSection())
    except LightModelError as error:
        return error.message
    return "a table"


@pytest.mark.parametrize("text", ['a,b\n"x,1\nr"s,2\nt,3\n', 'a,b\n"x,1\nq,2\nr"s,2\nt,3\n'])
def test_rows_that_an_open_quote_would_swallow_are_refused(tmp_path: Path, text: str) -> None:
    refused = refusal(tmp_path, text)
    assert "quote" in f"{refused.message} {refused.hint}"
