"""Validation of dates, times of day and durations in whole tables, and of those in older contracts."""

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa
import pytest

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.tables.check import ValidatedTable, validate_table
from lightmodel.tables.encode import feature_matrix
from lightmodel.tables.row_rules import RowRules, json_features

DAY, CLOCK = dt.date(2024, 4, 3), dt.time(9, 30)
SECONDS = 1_712_102_400.0  # of the day, since 1970


def contract_of(kind: ColumnType, written: str, **more: object) -> Contract:
    column = Column("x", Role.FEATURE, kind, missing=True, format=written, **more)  # type: ignore[arg-type]  # by name
    target = Column("y", Role.TARGET, ColumnType.NUMBER, missing=False)
    return Contract((column, target), Task(TaskKind.REGRESSION))


def checked(contract: Contract, values: Sequence[object] | pa.Array) -> ValidatedTable:
    return validate_table(pa.table({"x": values}), contract, with_target=False)


@pytest.mark.parametrize(
    ("kind", "written", "values", "expected"),
    [
        (ColumnType.DATE, "date day_first", ["03/04/2024", None], SECONDS),
        (ColumnType.DATE, "date month_first", ["04/03/2024", None], SECONDS),
        (ColumnType.DATE, "date", [DAY, None], SECONDS),
        (ColumnType.DATE, "date", pa.array([DAY, None]).cast(pa.timestamp("ns")), SECONDS),
        (ColumnType.DATE, "date", ["2024-04-03 12:00", None], SECONDS + 43_200),
        (ColumnType.DATETIME, "date", [DAY, None], SECONDS),
        (ColumnType.TIME, "time", ["9:30 am", None], 34_200.0),
        (ColumnType.TIME, "time", [CLOCK, None], 34_200.0),
        (ColumnType.DURATION, "duration", ["1:30:00", None], 5_400.0),
        (ColumnType.DURATION, "duration", [dt.timedelta(minutes=90), None], 5_400.0),
        (ColumnType.DURATION, "duration", [5_400, None], 5_400.0),
    ],
)
def test_a_value_is_the_same_number_in_every_type(
    kind: ColumnType, written: str, values: Sequence[object] | pa.Array, expected: float
) -> None:
    contract = contract_of(kind, written)
    found = checked(contract, values)
    assert not found.violations
    numbers = feature_matrix(found.table, contract)[:, 0].tolist()
    assert numbers[0] == expected
    assert numbers[1] != numbers[1]


@pytest.mark.parametrize(
    ("kind", "written", "values"),
    [
        (ColumnType.DATE, "date day_first", ["31.02.2024"]),
        (ColumnType.DATE, "date", ["03/04/2024"]),
        (ColumnType.DATE, "date", [1_712_102_400]),
        (ColumnType.DATE, "date", [True]),
        (ColumnType.DATE, "date", [CLOCK]),
        (ColumnType.TIME, "time", [DAY]),
        (ColumnType.TIME, "time", ["25:00"]),
        (ColumnType.DURATION, "duration", ["soon"]),
        (ColumnType.DURATION, "duration", [DAY]),
    ],
)
def test_another_value_is_a_violation_that_says_how_to_write_it(
    kind: ColumnType, written: str, values: Sequence[object]
) -> None:
    (violation,) = checked(contract_of(kind, written), values).violations
    assert (violation.rule, violation.rows) == ("type", (1,))
    assert " as " in violation.detail


def test_a_column_without_values_is_missing() -> None:
    assert not checked(contract_of(ColumnType.DATE, "date"), pa.nulls(2, pa.float64())).violations


def test_a_range_is_told_in_dates() -> None:
    seen = {"minimum": SECONDS, "maximum": SECONDS + 86_400}
    (violation,) = checked(contract_of(ColumnType.DATE, "date", **seen), ["2004-04-03"]).violations
    assert violation.rule == "range"
    assert "training saw 2024-04-03 to 2024-04-04" in violation.detail
    assert not checked(contract_of(ColumnType.DATE, "date", **seen), ["2034-04-03"]).violations


def test_logged_rows_hold_texts() -> None:
    contract = contract_of(ColumnType.DATE, "date")
    matrix = feature_matrix(checked(contract, [DAY, None]).table, contract)
    assert json_features(matrix, contract) == {"x": ["2024-04-03", None]}


# ---- contracts of older models, which have no formats -----------------------------------------------


def test_a_number_of_an_older_model_takes_durations_as_seconds() -> None:
    contract = contract_of(ColumnType.NUMBER, "")
    found = checked(contract, [dt.timedelta(minutes=90), None])
    assert not found.violations
    assert feature_matrix(found.table, contract)[0, 0] == 5_400


def test_a_time_of_day_in_an_older_model_is_a_category() -> None:
    contract = contract_of(ColumnType.CATEGORY, "", categories=("09:30:00", "10:00:00"))
    assert not checked(contract, ["09:30:00"]).unseen
    assert RowRules(contract).categorical


def test_a_date_of_an_older_model_is_ignored_whatever_it_holds() -> None:
    ignored = Column("day", Role.IGNORED, ColumnType.DATE, missing=False)
    contract = contract_of(ColumnType.NUMBER, "")
    contract = Contract((ignored, *contract.columns), contract.task)
    table = pa.table({"day": ["31.02.2024"], "x": [1.0]})
    assert not validate_table(table, contract, with_target=False).violations
