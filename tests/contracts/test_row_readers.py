"""Every reader of rows returns the same bits for the same text."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.cells import INVALID, MISSING, RAGGED
from lightmodel.errors import DataError
from lightmodel.learners.compiled import compile_library
from lightmodel.learners.compiled.tables import NotCompiledError
from lightmodel.tables.row_readers import CellKind, Layout, RowReader
from tests.fakes.reading import arrow_rows, compiled_rows

N, B, T, I = CellKind.NUMBER, CellKind.BOOLEAN, CellKind.TEXT, CellKind.IGNORED  # noqa: E741
LAYOUT = Layout(bytes([N, T, B, I, N]), (0, 0, 2, 0, 1), 3, missing=("NA", "?"))


@pytest.fixture(
    scope="module", params=["arrow", pytest.param("compiled", marks=pytest.mark.compiler)]
)
def reader(request: pytest.FixtureRequest) -> RowReader:
    return arrow_rows if request.param == "arrow" else compiled_rows()


def bits(reader: RowReader, text: str, layout: Layout = LAYOUT) -> list[list[int]]:
    numbers = reader(layout, text.encode(), final=True).numbers
    result: list[list[int]] = np.ascontiguousarray(numbers).view(np.uint64).tolist()
    return result


def as_bits(*numbers: float) -> list[int]:
    result: list[int] = np.array(numbers).view(np.uint64).tolist()
    return result


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1", 1.0),
        ("-0.0", -0.0),
        ("+7.", 7.0),
        (".5", 0.5),
        (" 12.50 ", 12.5),
        ("\t3\t", 3.0),
        ('"4.5"', 4.5),
        ('" 4.5 "', 4.5),
        ("1e3", 1000.0),
        ("1E-2", 0.01),
        ("1e999", np.inf),
        ("-1e999", -np.inf),
        ("1e-999", 0.0),
        ("0.1", 0.1),
        ("9007199254740993", 9007199254740992.0),
        ("123456789012345678901234567890", 1.2345678901234568e29),
        ("2.2250738585072011e-308", 2.2250738585072011e-308),
        ("007", 7.0),
        ("", MISSING),
        ("  ", MISSING),
        ("NA", MISSING),
        (' "NA"', MISSING),
        ("?", MISSING),
        ("\u00a01\u2003", 1.0),
        ("\x1c1\x0b", 1.0),
        ("\u3000", MISSING),
        ('"1" ', 1.0),
        (f"0.{'3' * 5_000}", 1 / 3),
        ("9" * 5_000, np.inf),
        ("\u200b1", INVALID),
        ("nan", MISSING),
        ("-NaN", MISSING),
        ("nan(1)", INVALID),
        ("inf", np.inf),
        ("-Infinity", -np.inf),
        ("infinit", INVALID),
        ('"1"5 ', 15.0),
        ("1_0", INVALID),
        ("0x1p3", INVALID),
        ("1,5", INVALID),
        ("1.5.2", INVALID),
        ("-", INVALID),
        (".", INVALID),
        ("e5", INVALID),
        ("1e", INVALID),
        ("1 2", INVALID),
        ("12a", INVALID),
        ("\u0661", INVALID),
    ],
)
def test_a_cell_is_read_as_its_number(reader: RowReader, cell: str, number: float) -> None:
    quoted = f'"{cell}"' if "," in cell else cell
    for after in ("0", "0.25\n5,x,0,z,1"):  # near the text's end, and far from it
        text = f"{quoted},x,1,z,{after}\n"
        assert bits(reader, text)[0][0] == as_bits(number)[0]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("true", 1.0),
        ("FALSE", 0.0),
        ("0", 0.0),
        ("1", 1.0),
        ("NA", MISSING),
        ("yes", INVALID),
        ("1.0", 1.0),
        ("0.0", 0.0),
        ("-0.0", 0.0),
        ("1.5", INVALID),
    ],
)
def test_a_boolean_is_read_as_0_or_1(reader: RowReader, cell: str, value: float) -> None:
    assert bits(reader, f"1,x,{cell},z,0\n")[0][2] == as_bits(value)[0]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"a"b', "ab"),
        ('"a" b', "a b"),
        (' "a" ', "a"),
        ('"a"""', 'a"'),
        ('"a"b"c"', 'ab"c"'),
        ('a"b"', 'a"b"'),
        ('""', ""),
        ('"\u00a0a\u2003"\u3000', "a"),
        ('\u3000"a,b"', "a,b"),
    ],
)
def test_text_after_a_closing_quote_belongs_to_the_cell(
    reader: RowReader, cell: str, text: str
) -> None:
    rows_read = reader(LAYOUT, f"1,{cell},1,z,2\n".encode(), final=True)
    assert rows_read.texts == ([text],)
    assert not rows_read.ragged


def test_texts_come_without_blanks_and_with_their_quotes_undone(reader: RowReader) -> None:
    text = '1, a b ,1,z,0\n1,"c,""d""\n",1,z,0\n1,,1,z,0\n1,\u00e4,1,z,0\n'
    rows_read = reader(LAYOUT, text.encode(), final=True)
    assert rows_read.texts == (["a b", 'c,"d"', "", "\u00e4"],)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way_and_blank_ones_are_no_rows(reader: RowReader, end: str) -> None:
    text = end.join(["", "1,a,1,z,2", "  ", "3,b,0,z,4", "", "5,c,1,z,6"])
    rows_read = reader(LAYOUT, text.encode(), final=True)
    assert rows_read.numbers.tolist() == [[1, 2, 1], [3, 4, 0], [5, 6, 1]]
    assert rows_read.consumed == len(text)


def test_rows_with_another_number_of_cells_are_counted_and_marked(reader: RowReader) -> None:
    rows_read = reader(LAYOUT, b"1,a,1,z,2\n1,a\n1,a,1,z,2,9\n3,b,1,z,4\n", final=True)
    assert rows_read.ragged == 2
    assert rows_read.texts == (["a", None, None, "b"],)
    rows = np.ascontiguousarray(rows_read.numbers).view(np.uint64).tolist()
    assert rows[1] == rows[2] == as_bits(RAGGED) * 3


def test_other_marks_part_cells_and_digits(reader: RowReader) -> None:
    layout = Layout(bytes([N, N]), (0, 1), 2, delimiter=";", decimal=",")
    assert reader(layout, b"1,5;-2\n,25;3,\n", final=True).numbers.tolist() == [
        [1.5, -2],
        [0.25, 3],
    ]
    assert bits(reader, "1.5;1\n", layout)[0][0] == as_bits(INVALID)[0]


@pytest.mark.parametrize("text", ['1,"a,1,z,2\n', '"1,a', '1,"a""'])
def test_a_quote_that_is_never_closed_is_an_error(reader: RowReader, text: str) -> None:
    with pytest.raises(DataError, match="quote"):
        reader(LAYOUT, text.encode(), final=True)


@given(cut=st.integers(0, 60))
def test_a_text_may_be_cut_anywhere(reader: RowReader, cut: int) -> None:
    text = b'1,"a\n,b",1,z,2\r\n3,c,0,z,4\r\n\r\n5,"d""e",1,z,6\r\n'
    first = reader(LAYOUT, text[:cut], final=False)
    rest = reader(LAYOUT, text[first.consumed :], final=True)
    numbers = np.concatenate([first.numbers, rest.numbers]).tolist()
    assert numbers == [[1, 2, 1], [3, 4, 0], [5, 6, 1]]
    assert first.texts[0] + rest.texts[0] == ["a\n,b", "c", 'd"e']


def test_without_a_compiler_a_reason_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotCompiledError, match="no C compiler"):
        compile_library()
