"""What stands for a missing value in a column that had none in training."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.imputation import impute, imputed_values
from lightmodel.contract.profile import profile
from lightmodel.contract.task import Task, TaskKind

REGRESSION = Task(TaskKind.REGRESSION)


def column(
    kind: ColumnType,
    *,
    missing: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Column:
    return Column("x", Role.FEATURE, kind, missing, minimum, maximum)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=300))
def test_it_is_a_median_of_training(numbers: list[int]) -> None:
    contract = Contract(
        (column(ColumnType.INTEGER, minimum=min(numbers), maximum=max(numbers)),), REGRESSION
    )
    stored = profile(pa.table({"x": numbers}), contract).to_dict()["columns"]
    (value,) = imputed_values(contract, stored)
    assert value in numbers
    assert (np.array(numbers) < value).mean() <= 0.5 <= (np.array(numbers) <= value).mean()


@pytest.mark.parametrize(
    ("of", "stored", "expected"),
    [
        (column(ColumnType.BOOLEAN), {"counts": {"true": 9, "false": 3}}, 1.0),
        (column(ColumnType.BOOLEAN), {"counts": {"true": 2, "false": 3}}, 0.0),
        (column(ColumnType.NUMBER, minimum=2001.0, maximum=2011.0), {}, 2006.0),
        (column(ColumnType.NUMBER), {}, np.nan),
        (column(ColumnType.NUMBER, missing=True, minimum=0.0, maximum=1.0), {}, np.nan),
        (column(ColumnType.CATEGORY), {"counts": {"a": 9}}, np.nan),
    ],
)
def test_it_depends_on_the_column(of: Column, stored: dict[str, object], expected: float) -> None:
    (value,) = imputed_values(Contract((of,), REGRESSION), {"x": stored})
    assert value == pytest.approx(expected, nan_ok=True)


def test_only_missing_values_are_replaced_and_the_rows_stay_as_they_were() -> None:
    features = np.array([[1.0, np.nan], [np.nan, 2.0]])
    assert impute(features, np.array([7.0, np.nan])).tolist()[1] == [7.0, 2.0]
    assert np.isnan(features[1, 0])
    wider = np.array([[np.nan, np.nan, np.nan]])
    assert impute(wider, np.array([7.0, 8.0])).tolist()[0][:2] == [7.0, 8.0]
    assert np.isnan(impute(wider, np.array([7.0, 8.0]))[0, 2])
    assert np.isnan(impute(features, np.array([7.0, np.nan]))[0, 1])
