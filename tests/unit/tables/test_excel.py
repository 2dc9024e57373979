"""Excel workbooks as people keep them."""

import datetime as dt
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from openpyxl import Workbook

from lightmodel.config import DataSection
from lightmodel.errors import ContractViolation, DataError, TooLarge
from lightmodel.tables.reading import read_source, read_table
from lightmodel.tables.workbooks import WorkbookLimits

NOON = dt.datetime(2020, 1, 31, 12, 0)  # noqa: DTZ001 — Excel knows no zones


def read(folder: Path, rows: Sequence[Sequence[Any]], **options: object) -> pa.Table:
    """Write rows to the first of two sheets and read the workbook."""
    book = Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    book.create_sheet("notes").append(["not this one"])
    book.save(folder / "rows.xlsx")
    return read_table([folder / "rows.xlsx"], DataSection.model_validate(options))


def column(folder: Path, values: Sequence[Any]) -> pa.ChunkedArray:
    """Read values as a column beside another."""
    rows: list[tuple[object, object]] = [("n", "v")]
    return read(folder, rows + list(enumerate(values)))["v"]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2, None], pa.int64(), [1, 2, None]),
        ([1.0, 2.0], pa.int64(), [1, 2]),
        ([1, 2.5, "?"], pa.float64(), [1.0, 2.5, None]),
        ([1, 2.0, "x", 2.5, True], pa.string(), ["1", "2", "x", "2.5", "true"]),
        (["007", " x ", "n/a"], pa.string(), ["007", "x", None]),
        ([True, False, None], pa.bool_(), [True, False, None]),
        ([dt.date(2020, 1, 31), None], pa.date32(), [dt.date(2020, 1, 31), None]),
        ([NOON, dt.date(2020, 1, 31)], pa.timestamp("us"), [NOON, NOON.replace(hour=0)]),
        ([NOON, "later"], pa.string(), ["2020-01-31T12:00:00", "later"]),
        ([dt.time(10, 30), None], pa.string(), ["10:30:00", None]),
        ([1, "#DIV/0!", "#N/A"], pa.int64(), [1, None, None]),
        ([None, None], pa.float64(), [None, None]),
    ],
)
def test_cells_decide_the_type(
    tmp_path: Path, values: Sequence[Any], kind: pa.DataType, expected: Sequence[Any]
) -> None:
    found = column(tmp_path, values)

    assert found.to_pylist() == expected
    assert found.type == kind


def test_empty_rows_and_columns_around_the_table_are_left_out(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [],
        [None, "a", "b", None],
        [],
        [None, 1, "x"],
        [None, 2, None],
        [None, None, " "],
        [],
    ]

    assert read(tmp_path, rows).to_pydict() == {"a": [1, 2], "b": ["x", None]}


def test_a_wrong_dimension_in_the_sheet_does_not_matter(tmp_path: Path) -> None:
    read(tmp_path, [["a", "b"], [1, "x"], [2, "y"]])
    path = tmp_path / "rows.xlsx"
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b'<dimension ref="A1:B3"', b'<dimension ref="A1"')
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)

    assert b'ref="A1"' in parts[sheet]
    assert read_table([path], DataSection()).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_a_formula_is_read_as_its_saved_value(tmp_path: Path) -> None:
    read(tmp_path, [["a", "b"], [1, 77], [2, 78]])
    path = tmp_path / "rows.xlsx"
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b"<v>77</v>", b"<f>A2*77</f><v>77</v>")
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)

    assert b"<f>" in parts[sheet]
    assert read_table([path], DataSection())["b"].to_pylist() == [77, 78]


def test_formulas_without_a_stored_value_are_missing_and_counted_by_column(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(tmp_path, [["a", "b"], [1, "=A2*2"], [2, 5], [3, "=A4*2"]])
    with caplog.at_level("WARNING"):
        found = read_source([tmp_path / "rows.xlsx"], DataSection())
    assert found.table["b"].to_pylist() == [None, 5, None]
    assert found.lost == {"b": 2}
    assert "b: 2" in caplog.text


def test_a_formula_whose_value_is_an_empty_text_is_not_lost(tmp_path: Path) -> None:
    path = change(tmp_path, [["a", "b"], [1, 77]], b"<v>77</v>", b'<f>""</f><v></v>', b't="str"')
    assert read_source([path], DataSection()).lost == {}


def change(
    folder: Path, rows: Sequence[Sequence[Any]], old: bytes, new: bytes, kind: bytes = b't="n"'
) -> Path:
    """Write a workbook and change the text of its sheet."""
    read(folder, rows)
    path = folder / "rows.xlsx"
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert old in parts[sheet]
    parts[sheet] = parts[sheet].replace(b't="n"><' + old[1:], kind + b"><" + old[1:])
    parts[sheet] = parts[sheet].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


SMALL = WorkbookLimits(bytes=64_000, columns=20)
MANY = {
    "a sheet with many rows": (b"</sheetData>", b"<row><c><v>1</v></c></row>" * 1_001),
    "a sheet with many empty rows": (b"</sheetData>", b"<row/>" * 1_001),
    "a row with many empty cells": (b"</sheetData>", b"<row>" + b"<c/>" * 1_001 + b"</row>"),
    "a row without an end": (b"</sheetData>", b"<row>" + b"<c/>" * 70_000),
    "a cell far to the right": (b"</sheetData>", b'<row><c r="XFD9"><v>1</v></c></row>'),
}


@pytest.mark.parametrize("what", MANY)
def test_a_workbook_beyond_a_limit_is_refused_while_it_is_read(tmp_path: Path, what: str) -> None:
    end, rows = MANY[what]
    path = change(tmp_path, [["a", "b"], [1, 2]], end, rows + end)
    assert path.stat().st_size < 10_000
    with pytest.raises(TooLarge, match=r"serve\.max_"):
        read_source([path], DataSection(), SMALL)


def test_a_row_at_the_last_place_of_a_sheet_is_the_next_row(tmp_path: Path) -> None:
    far = b'<row r="1048576"><c r="A1048576"><v>3</v></c></row></sheetData>'
    path = change(tmp_path, [["a", "b"], [1, 2]], b"</sheetData>", far)
    assert read_source([path], DataSection(), SMALL).table["a"].to_pylist() == [1, 3]


STRINGS = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"></sst>'


@pytest.mark.parametrize("part", ["xl/styles.xml", "xl/sharedStrings.xml"])
def test_a_part_without_cells_that_is_too_large_is_refused(tmp_path: Path, part: str) -> None:
    read(tmp_path, [["a", "b"], [1, 2]])
    path = tmp_path / "rows.xlsx"
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    texts = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    entry = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%b"/></Types>' % texts
    types = "[Content_Types].xml"
    parts[types] = parts[types].replace(b"</Types>", entry)
    parts.setdefault("xl/sharedStrings.xml", STRINGS)
    end = b"</" + parts[part].rsplit(b"</", 1)[1]
    parts[part] = parts[part].replace(end, b"<si><t>x</t></si>" * 60_000 + end)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    with pytest.raises(TooLarge):
        read_source([path], DataSection(), SMALL)


def test_configured_and_detected_names_work_as_in_csv(tmp_path: Path) -> None:
    rows = [[1, "x"], [2, "y"]]

    with pytest.raises(DataError, match="looks like data"):
        read(tmp_path, rows)
    assert read(tmp_path, rows, columns=("a", "b")).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_row_numbers_without_a_name_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, [[None, "a"], [0, 5], [1, 6]]).to_pydict() == {"a": [5, 6]}


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractViolation, match="'a': occurs 2 times in the header"):
        read(tmp_path, [["a", "b", "a"], [1, 2, 3]])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "the sheet 'notes' of rows.xlsx holds a header and no rows below it"),
        ([["a", "b"]], "holds a header and no rows below it"),
        ([["a", None, "c"], [1, 2, 3]], "1 of 3 columns has no name"),
    ],
)
def test_a_workbook_without_a_table_is_refused(
    tmp_path: Path, rows: Sequence[Sequence[Any]], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, rows)

    assert words in caught.value.message


def test_a_damaged_sheet_is_a_data_error(tmp_path: Path) -> None:
    read(tmp_path, [["a"], ["Elm Street"]])
    path = tmp_path / "rows.xlsx"
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts["xl/worksheets/sheet1.xml"] = b"<worksheet><sheetData><row><c>Elm"
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)

    with pytest.raises(
        DataError, match=r"rows\.xlsx cannot be read as an Excel workbook"
    ) as caught:
        read_table([path], DataSection())

    assert "Elm" not in caught.value.message
    still_open = [file.path for file in psutil.Process().open_files()]
    assert str(path) not in still_open
