"""Columns of dates are found by all their texts, and the order of day and month by the whole table."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pytest

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import Inferred, infer
from lightmodel.errors import DataError
from lightmodel.tables.date_columns import read_dates

AMBIGUOUS = ["03/04/2024", "05/06/2024", None, "01/02/2024"]


def inferred(dates: str = "auto", **columns: Sequence[object]) -> Inferred:
    rows = len(next(iter(columns.values())))
    table = pa.table(
        {**columns, "target": [row % 2 for row in range(rows)], "x": list(range(rows))}
    )
    read = read_dates(table, list(columns), dates, None)
    found = infer(read.table, ColumnHints("target", id=""), formats=read.formats)
    return replace(found, warnings=read.warnings)


def column(values: Sequence[object], dates: str = "auto") -> Column:
    return inferred(dates, day=values).contract.columns[0]


@pytest.mark.parametrize(
    ("values", "kind", "written"),
    [
        (["31.12.2023", "01.02.2024", None], ColumnType.DATE, "date day_first"),
        (["01/02/2024", "12/31/2023"], ColumnType.DATE, "date month_first"),
        (["2/1/24", "31/12/23"], ColumnType.DATE, "date day_first"),
        (["01.02.2024", "03.04.2024"], ColumnType.DATE, "date day_first"),
        (["31 Dec 2023", "1 Feb 2024"], ColumnType.DATE, "date"),
        (["December 31, 2023 10:00", "Feb 1, 2024"], ColumnType.DATETIME, "date"),
        (["2023-12-31", "31/12/2023"], ColumnType.DATE, "date day_first"),
        (["09:00", "10:30:15"], ColumnType.TIME, "time"),
        (["09:00", "36:00"], ColumnType.DURATION, "duration"),
        (["90 min", "1h 5m"], ColumnType.DURATION, "duration"),
        ([dt.date(2023, 12, 31), None], ColumnType.DATE, "date"),
        ([dt.datetime(2023, 12, 31)], ColumnType.DATE, "date"),  # noqa: DTZ001 — has no zone
        ([dt.datetime(2023, 12, 31, 9)], ColumnType.DATETIME, "date"),  # noqa: DTZ001 — as above
        ([dt.timedelta(hours=1)], ColumnType.DURATION, "duration"),
        ([dt.time(9), None], ColumnType.TIME, "time"),
        ([None] * 100 + ["09:00"], ColumnType.TIME, "time"),
    ],
)
def test_the_type_and_the_order_are_those_of_all_texts(
    values: Sequence[object], kind: ColumnType, written: str
) -> None:
    found = column(values)
    assert (found.type, found.format, found.role) == (kind, written, Role.FEATURE)
    assert found.missing == (None in values)
    assert found.minimum is not None


@pytest.mark.parametrize(
    "values",
    [
        ["31.12.2023", "12/31/2023"],
        ["red", "blue"],
        ["31.02.2023", "01.02.2023"],
        ["1.2.3", "1.2.4"],
        ["A1", None],
    ],
)
def test_texts_that_are_not_all_dates_stay_categories(values: Sequence[object]) -> None:
    assert column(values).type is ColumnType.CATEGORY


def test_a_column_that_does_not_tell_is_asked_about_by_name() -> None:
    with pytest.raises(DataError, match=r"column 'day'.*no row tells") as caught:
        column(AMBIGUOUS)
    assert "data.dates" in caught.value.hint
    assert "03/04/2024" in caught.value.message  # an example of the kind, of no row of a table


@pytest.mark.parametrize("order", ["day_first", "month_first"])
def test_the_setting_decides_only_where_the_column_does_not(order: str) -> None:
    assert column(AMBIGUOUS, order).format == f"date {order}"
    assert column(["12/31/2023", "01/02/2024"], order).format == "date month_first"


def test_another_column_tells_as_well() -> None:
    found = inferred(day=AMBIGUOUS, sent=["31/12/2024", "01/02/2024", None, None]).contract
    assert found.columns[0].format == found.columns[1].format == "date day_first"
    with pytest.raises(DataError, match="'day'"):
        inferred(day=AMBIGUOUS, a=["31/12/2024"] * 4, b=["12/31/2024"] * 4)


def test_a_few_texts_that_are_no_dates_are_a_warning() -> None:
    days = [f"{day:02}.01.2024" for day in range(1, 32)]
    found = inferred(day=[*days, "unknown"])
    assert found.contract.columns[0].type is ColumnType.CATEGORY
    assert "'day' holds values of the type date, but 1 of its texts is" in found.warnings[0]
    assert "data.na_values" in found.warnings[0]
    assert "unknown" not in found.warnings[0]


def test_a_contract_of_dates_survives_json() -> None:
    contract = inferred(day=["31.12.2023", "01.02.2024"], at=["09:00", "36:00"]).contract
    assert Contract.from_dict(contract.to_dict()) == contract


def test_a_later_date_is_allowed_and_a_typing_error_is_not() -> None:
    low, high = column(["31.12.2023", "01.02.2024"]).allowed
    assert high == float("inf")
    assert low > dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp()


def test_a_date_becomes_a_moment_when_a_later_table_has_times() -> None:
    old, new = (
        inferred(day=[text, "01.02.2024"]).contract for text in ("31.12.2023", "1.3.2024 9:00")
    )
    widened = old.widened(new).columns[0]
    assert widened.type is ColumnType.DATETIME
    assert widened.minimum == old.columns[0].minimum
    assert widened.maximum == new.columns[0].maximum


def test_the_contract_in_force_decides_on_a_column_that_does_not_tell() -> None:
    first = inferred(day=["31.12.2023", "01.02.2024"]).contract
    later = read_dates(pa.table({"day": AMBIGUOUS}), ["day"], "auto", first)
    assert later.formats == {"day": "date day_first"}
    assert later.table["day"][0].as_py() == dt.date(2024, 4, 3)


def test_texts_that_break_the_contract_in_force_are_left_to_its_validation() -> None:
    first = inferred(day=["31.12.2023", "01.02.2024"]).contract
    wrong = pa.table({"day": ["31.02.2023", *[f"{day:02}.01.2023" for day in range(1, 31)]]})
    later = read_dates(wrong, ["day"], "auto", first)
    assert later.table is wrong
    assert not later.warnings
