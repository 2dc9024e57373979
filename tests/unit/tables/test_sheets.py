"""Sheets as people keep them: titles, merged cells, hidden and empty sheets, numbers stored as text."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook
from openpyxl.styles import Font

from lightmodel.config import DataSection
from lightmodel.contract.columns import Contract
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import infer
from lightmodel.errors import DataError
from lightmodel.tables.reading import read_source
from tests.fakes.reading import (
    arrow_rows,
    features_of,
    plain_nans,
    read_for_training,
    read_request,
)

Rows = Sequence[Sequence[Any]]

PLAIN: Rows = [["a", "c", "y"], [1.5, "x", 1], [2.5, "z", 0], [3, "z", 0], [1, "x", 1]]
TITLED: Mapping[str, Rows] = {
    "a title": [["Sales of last year"], *PLAIN],
    "titles and empty rows": [["Sales"], ["made on", "2020-01-31"], [], *PLAIN],
    "a title wider than the table": [["Sales", *[None] * 20, "page 1"], *PLAIN],
    "a table that begins elsewhere": [
        ["Sales of last year"],
        *([None, None, *row] for row in PLAIN),
    ],
    "units": [PLAIN[0], ["[EUR]", "text", None], *PLAIN[1:]],
    "a title and units": [["Sales of last year"], [], PLAIN[0], ["EUR", None, None], *PLAIN[1:]],
}


def book_of(
    sheets: Mapping[str, Rows], *, hidden: Sequence[str] = (), merged: str = ""
) -> Workbook:
    """Return a workbook with these sheets."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        if merged:
            sheet.merge_cells(merged)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    return book


def saved(folder: Path, book: Workbook) -> Path:
    path = folder / "rows.xlsx"
    book.save(path)
    return path


def columns(path: Path, **options: object) -> dict[str, list[Any]]:
    """Return the columns of a workbook."""
    return dict(read_source([path], DataSection.model_validate(options)).table.to_pydict())


def contract_of(path: Path, **options: object) -> Contract:
    """Return the contract of a training table, its target in column y."""
    data = DataSection.model_validate(options)
    read = read_source([path], data)
    return infer(read.table, ColumnHints(target="y", id=data.id), read.dialect).contract


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, list[Any]]:
    return columns(saved(tmp_path, book_of({"one": PLAIN})))


# ---- titles and units --------------------------------------------------------------------------------


@pytest.mark.parametrize("what", TITLED)
def test_titles_and_units_are_skipped_and_logged(
    tmp_path: Path, plain: object, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert columns(saved(tmp_path, book_of({"one": TITLED[what]}))) == plain
    assert "skipped" in caplog.text


def test_a_merged_title_is_skipped(tmp_path: Path, plain: object) -> None:
    book = book_of({"one": [["Sales", None, None], *PLAIN]}, merged="A1:C1")
    assert columns(saved(tmp_path, book)) == plain


@pytest.mark.parametrize("what", TITLED)
def test_a_request_is_read_like_training_with_and_without_titles(tmp_path: Path, what: str) -> None:
    path = saved(tmp_path, book_of({"one": TITLED[what]}))
    trained = read_for_training(path, DataSection())

    for rows in (TITLED[what], PLAIN):
        body = saved(tmp_path, book_of({"any": rows})).read_bytes()
        blocks = read_request(trained.contract, arrow_rows, DataSection(), [body])
        assert np.array_equal(features_of(blocks), plain_nans(trained.matrix)), rows[0]


def test_rows_to_skip_are_those_of_the_sheet(tmp_path: Path, plain: object) -> None:
    path = saved(tmp_path, book_of({"one": [["x", "y", "z"], [], ["u", "v", "w"], *PLAIN]}))

    assert columns(path, skip_rows=3) == plain
    assert read_source([path], DataSection(skip_rows=3)).dialect.skip_rows == 3
    with pytest.raises(DataError, match=r"no row below row 20"):
        columns(path, skip_rows=20)


def test_nothing_is_skipped_if_that_is_set(tmp_path: Path) -> None:
    path = saved(tmp_path, book_of({"one": TITLED["a title"]}))
    with pytest.raises(DataError, match="no name"):
        columns(path, skip_rows=0)


def test_a_sheet_without_a_header_is_read_by_the_order_of_training(tmp_path: Path) -> None:
    path = saved(tmp_path, book_of({"one": PLAIN[1:]}))
    options = DataSection(columns=("a", "c", "y"), header="no")
    trained = read_for_training(path, options)

    without_target = [row[:2] for row in PLAIN[1:]]
    for rows in (PLAIN[1:], PLAIN, without_target, [["Sales of last year"], [], *PLAIN]):
        body = saved(tmp_path, book_of({"one": rows})).read_bytes()
        blocks = read_request(trained.contract, arrow_rows, DataSection(), [body])
        assert np.array_equal(features_of(blocks), plain_nans(trained.matrix))


def test_a_sheet_without_a_header_is_refused_with_the_names_that_were_expected(
    tmp_path: Path,
) -> None:
    trained = read_for_training(saved(tmp_path, book_of({"one": PLAIN})), DataSection())
    body = saved(tmp_path, book_of({"one": PLAIN[1:]})).read_bytes()

    with pytest.raises(DataError, match=r"there is no header.*'a', 'c'"):
        read_request(trained.contract, arrow_rows, DataSection(), [body])


# ---- which sheet -------------------------------------------------------------------------------------


def test_the_first_visible_sheet_with_rows_is_read(tmp_path: Path, plain: object) -> None:
    sheets: dict[str, Rows] = {
        "cover": [],
        "old": [["p"], [1]],
        "data": PLAIN,
        "notes": [["q"], [1]],
    }
    assert columns(saved(tmp_path, book_of(sheets, hidden=["old"]))) == plain


@pytest.mark.parametrize("sheet", ["data", "2", 2])
def test_a_sheet_is_chosen_by_name_or_by_number_among_the_visible_ones(
    tmp_path: Path, plain: object, sheet: object
) -> None:
    sheets: dict[str, Rows] = {"cover": [["p"], [1]], "old": [["p"], [1]], "data": PLAIN}
    assert columns(saved(tmp_path, book_of(sheets, hidden=["old"])), sheet=sheet) == plain


def test_a_sheet_whose_name_is_a_number_is_found(tmp_path: Path, plain: object) -> None:
    sheets: dict[str, Rows] = {"2": PLAIN, "1": [["p"], [1]]}
    assert columns(saved(tmp_path, book_of(sheets)), sheet="2") == plain


def test_a_hidden_sheet_is_read_by_its_name_only(tmp_path: Path, plain: object) -> None:
    path = saved(tmp_path, book_of({"cover": [], "data": PLAIN}, hidden=["data"]))

    with pytest.raises(DataError, match="'cover'") as caught:
        columns(path)
    assert "'data'" in caught.value.hint
    assert columns(path, sheet="data") == plain


def test_the_sheets_are_named_where_the_wanted_one_is_missing(tmp_path: Path) -> None:
    path = saved(tmp_path, book_of({"cover": [], "data": PLAIN}))
    for sheet in ("sales", "3", "0"):
        with pytest.raises(DataError, match=r"has no sheet .* it has 'cover', 'data'"):
            columns(path, sheet=sheet)


def test_a_request_is_read_from_the_sheet_of_training_or_else_from_the_first(
    tmp_path: Path,
) -> None:
    notes: Rows = [["p"], [1]]
    path = saved(tmp_path, book_of({"notes": notes, "data": PLAIN}))
    contract = contract_of(path, sheet="data")

    for sheets in ({"notes": notes, "data": PLAIN}, {"other": PLAIN}, {"data": [], "x": PLAIN}):
        body = saved(tmp_path, book_of(sheets)).read_bytes()
        (block,) = read_request(contract, arrow_rows, DataSection(), [body])
        assert len(block.features) == 4
        assert not block.violations


# ---- cells -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2.5", "-3"], [1.0, 2.5, -3.0]),
        ([1, "2", 3.5], [1.0, 2.0, 3.5]),
        (["1", "2", None], [1, 2, None]),
        (["007", "008", "010"], ["007", "008", "010"]),
        (["1", "2", "x"], ["1", "2", "x"]),
        ([1, "2", True], ["1", "2", "true"]),
    ],
)
def test_numbers_stored_as_text_are_numbers(
    tmp_path: Path, cells: Sequence[object], expected: Sequence[object]
) -> None:
    rows: Rows = [["n", "v"], *([at, cell] for at, cell in enumerate(cells))]
    assert columns(saved(tmp_path, book_of({"one": rows})))["v"] == expected


def test_empty_columns_and_rows_that_are_only_formatted_are_left_out(
    tmp_path: Path, plain: object
) -> None:
    book = book_of({"one": PLAIN})
    for place in ("D1", "F9", "A900", "H2"):
        book["one"][place].font = Font(bold=True)
    book["one"]["E3"], book["one"]["B12"] = " ", ""

    path = saved(tmp_path, book)
    assert columns(path) == plain
    (block,) = read_request(contract_of(path), arrow_rows, DataSection(), [path.read_bytes()])
    assert len(block.features) == 4
