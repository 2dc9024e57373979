"""A comparison as CSV, workbook and picture, also where scores are missing or far off."""

import csv
import io
import math

import numpy as np
import openpyxl
import pytest

from lightmodel.contract.task import METRICS
from lightmodel.pipeline.training_results import csv_bytes
from lightmodel.search.comparison_report import as_excel, comparison_png, table_rows
from lightmodel.search.entries import CvResult, RankedResult

AUC, RMSE = METRICS["auc"], METRICS["rmse"]


def ranked(name: str, mean: float, metric: str = "auc", *, tied: bool = False) -> RankedResult:
    folds = tuple({metric: mean + step} for step in (-0.02, 0.0, 0.02))
    result = CvResult(
        name,
        f"a.{name}",
        {"k": [1]},
        np.zeros(2),
        folds,
        {metric: mean},
        1.5,
        2e-6,
        1_000,
        ("slow",),
    )
    return RankedResult(result, {metric: mean}, {metric: 0.02}, 0.1, 0.2 if tied else 0.01)


BEST, NEXT = ranked("best", 0.9, tied=True), ranked("next", 0.8)
LATE = {"late": "not finished within 5 s"}


def test_the_table_has_a_row_for_each_entry_and_for_those_left_out() -> None:
    text = csv_bytes(table_rows([BEST, NEXT], LATE, AUC)).decode()
    first, second, third = csv.DictReader(io.StringIO(text))
    assert (first["place"], first["entry"], first["auc_mean"]) == ("1", "best", "0.9")
    assert (first["row_microseconds"], first["bytes"], first["notes"]) == ("2.0", "1000", "slow")
    assert (first["estimator"], first["parameters"]) == ("a.best", "{'k': [1]}")
    assert second["behind"] == "0.1"
    assert (third["entry"], third["auc_mean"]) == ("late", "")
    assert third["notes"] == "not finished within 5 s"


def test_the_workbook_holds_numbers_and_its_header_is_frozen() -> None:
    book = openpyxl.load_workbook(io.BytesIO(as_excel(table_rows([BEST, NEXT], LATE, AUC), AUC)))
    (sheet,) = book.worksheets
    assert (sheet.title, sheet.freeze_panes, sheet.max_row) == ("by AUC", "C2", 4)
    assert [cell.value for cell in sheet["C"]] == ["auc_mean", 0.9, 0.8, None]
    assert sheet["C2"].number_format == "0.0000"


def test_an_undefined_metric_is_an_empty_cell() -> None:
    rows = table_rows([BEST, ranked("none", math.nan)], {}, AUC)
    assert rows[1]["auc_mean"] is None


def test_a_name_cannot_become_a_formula() -> None:
    book = as_excel(table_rows([BEST], {"=1+1": "=HYPERLINK(1)"}, AUC), AUC)
    sheet = openpyxl.load_workbook(io.BytesIO(book)).worksheets[0]
    assert sheet["B3"].data_type == "s"


@pytest.mark.parametrize(
    "ranking",
    [
        [BEST, NEXT],
        [BEST],
        [BEST, NEXT, ranked("next too", 0.79), ranked("far off", 0.01)],
        [BEST, ranked("none", math.nan)],
        [ranked("none", math.nan)],
    ],
)
def test_a_picture_is_the_same_each_time(ranking: list[RankedResult]) -> None:
    picture = comparison_png(ranking, AUC)
    assert picture.startswith(b"\x89PNG")
    assert picture == comparison_png(ranking, AUC)


def test_where_lower_is_better_outliers_are_on_the_right() -> None:
    near = [ranked("a", 1.0, "rmse"), ranked("b", 1.05, "rmse")]
    far = ranked("c", 1e6, "rmse")
    assert comparison_png([*near, far], RMSE) != comparison_png([*near, near[1]], RMSE)
