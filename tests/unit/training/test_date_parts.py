"""Parts of dates are features where the training rows differ in them, the same in training and serving."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lightmodel.contract.cells import Matrix
from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.training.features import Processing, fit_features

NAN = float("nan")
CONTRACT = Contract(
    (
        Column("x", Role.FEATURE, ColumnType.NUMBER, missing=True),
        Column("when", Role.FEATURE, ColumnType.DATETIME, missing=True, format="date"),
        Column("at", Role.FEATURE, ColumnType.TIME, missing=True, format="time"),
        Column("spent", Role.TARGET, ColumnType.NUMBER, missing=False),
    ),
    Task(TaskKind.REGRESSION, ()),
)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001 — in UTC
NAMES = ["year", "month", "day", "weekday", "hour", "minute"]


def matrix(moments: Sequence[dt.datetime | None], clock: float = 0.0) -> Matrix:
    seconds = [NAN if one is None else one.replace(tzinfo=dt.UTC).timestamp() for one in moments]
    return np.array([[1.0, second, clock] for second in seconds])


def parts_of(moments: Sequence[dt.datetime | None]) -> Processing:
    return fit_features(matrix(moments), CONTRACT, (), None)


FIRST, LATER = dt.datetime(2023, 1, 2, 3, 4), dt.datetime(2024, 12, 31, 23, 59)  # noqa: DTZ001 — in UTC


def test_the_parts_in_which_rows_differ_are_features() -> None:
    names = parts_of([FIRST, LATER, None]).feature_names
    assert names == ("x", "when", "at", *(f"when ({part})" for part in NAMES))
    only_hours = parts_of([FIRST, FIRST.replace(hour=9), None])
    assert only_hours.feature_names == ("x", "when", "at", "when (hour)")
    assert parts_of([FIRST, None]).feature_names == ("x", "when", "at")


def test_a_time_of_day_adds_its_minute() -> None:
    rows = np.vstack([matrix([FIRST], clock) for clock in (0.0, 3600.0, 5400.0)])
    steps = fit_features(rows, CONTRACT, (), None)
    assert steps.feature_names == ("x", "when", "at", "at (minute)")
    assert steps.extend(rows)[:, 3].tolist() == [0, 0, 30]


@given(st.lists(st.none() | MOMENTS, max_size=5))
def test_parts_are_those_of_the_calendar(moments: list[dt.datetime | None]) -> None:
    steps = parts_of([FIRST, LATER])
    rows = matrix([*moments, FIRST])
    for row, moment in zip(steps.extend(rows)[:, 3:].tolist(), moments, strict=False):
        if moment is None:
            assert np.isnan(row).all()
        else:
            expected = [moment.year, moment.month, moment.day, moment.weekday()]
            assert row == [*expected, moment.hour, moment.minute]


def test_parts_survive_the_bundle_and_an_old_bundle_has_none() -> None:
    steps = parts_of([FIRST, LATER])
    payload = steps.payload()
    payload["steps"] = json.loads(json.dumps(payload["steps"]))
    restored = Processing.from_payload(payload, CONTRACT, None)
    assert restored.feature_names == steps.feature_names
    rows = matrix([FIRST, None, LATER])
    assert np.array_equal(restored.extend(rows), steps.extend(rows), equal_nan=True)
    assert steps.kinds == ("dates",)
    del payload["steps"]["dates"]
    assert Processing.from_payload(payload, CONTRACT, None).extend(rows) is rows


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_row_has_the_same_parts_among_others(size: int) -> None:
    steps = parts_of([FIRST, LATER])
    rows = matrix([FIRST, LATER, None])
    assert np.array_equal(steps.extend(rows)[:size], steps.extend(rows[:size]), equal_nan=True)


def test_own_features_receive_dates_as_such() -> None:
    def own(columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        weekend = np.is_busday(columns["when"].astype("datetime64[D]"), "0000011")
        return {"weekend": weekend, "late": columns["at"] > np.timedelta64(12, "h")}

    rows = np.vstack([matrix([FIRST, LATER], 3600.0), matrix([dt.datetime(2024, 1, 6)], 50_000.0)])  # noqa: DTZ001
    steps = fit_features(rows, CONTRACT, (), own)
    assert steps.extend(rows)[:, -2:].tolist() == [[0, 0], [0, 0], [1, 1]]
    assert steps.feature_names[-2:] == ("weekend", "late")
