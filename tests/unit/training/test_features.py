"""Added features: fitted on training rows, the same for the same row wherever it stands."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ConfigError
from lightmodel.training.features import Processing, fit_features
from lightmodel.training.user_features import FeatureFunction

Columns = Mapping[str, NDArray[Any]]

CONTRACT = Contract(
    (
        Column("age", Role.FEATURE, ColumnType.INTEGER, missing=True),
        Column(
            "where", Role.FEATURE, ColumnType.CATEGORY, missing=True, categories=("shop", "web")
        ),
        Column("member", Role.FEATURE, ColumnType.BOOLEAN, missing=False),
        Column("spent", Role.TARGET, ColumnType.NUMBER, missing=False),
    ),
    Task(TaskKind.REGRESSION, ()),
)
NAN = float("nan")
ROWS = np.array([[20, 0, 1], [20, 1, 0], [30, 1, 1], [NAN, 1, 0], [20, NAN, 1]])


def fitted(own: FeatureFunction | None = None, *chosen: str) -> Processing:
    return fit_features(ROWS, CONTRACT, chosen, own)


def test_without_added_features_the_same_matrix_is_returned() -> None:
    steps = fitted()
    assert steps.extend(ROWS) is ROWS
    assert steps.feature_names == ("age", "where", "member")


def test_a_new_row_counts_the_training_rows_with_its_value() -> None:
    steps = fitted(None, "frequency")
    assert steps.feature_names == ("age", "where", "member", "age (count)", "where (count)")
    new = np.array([[20, 1, 0], [30, 0, 0], [99, NAN, 1], [NAN, 1, 1]], dtype=float)
    assert np.array_equal(
        steps.extend(new)[:, 3:], [[3.0, 3.0], [1.0, 1.0], [0.0, NAN], [NAN, 3.0]], equal_nan=True
    )


def test_an_added_feature_may_not_have_the_name_of_a_column() -> None:
    first = CONTRACT.features[0]
    clash = replace(first, name=f"{first.name} (count)")
    contract = replace(CONTRACT, columns=(first, clash, *CONTRACT.columns[1:]))
    rows = np.column_stack([ROWS[:, 0], ROWS])
    with pytest.raises(ConfigError, match=r"has the name of a column: .* \(count\)"):
        fit_features(rows, contract, ("frequency",), None)


def test_a_training_row_counts_the_others_as_if_it_were_new() -> None:
    steps = fitted(None, "frequency")
    training = steps.extend(ROWS, training=True)
    for at in range(len(ROWS)):
        others = fit_features(np.delete(ROWS, at, axis=0), CONTRACT, ("frequency",), None)
        assert np.array_equal(training[at], others.extend(ROWS[at : at + 1])[0], equal_nan=True)


@given(st.lists(st.sampled_from([NAN, -1.5, 0.0, 2.0, 1e300]), min_size=1, max_size=30))
def test_counts_are_those_of_a_plain_loop(values: list[float]) -> None:
    column = np.array([[value, 0, 0] for value in values])
    steps = fit_features(column, CONTRACT, ("frequency",), None)
    got = steps.extend(column)[:, 3]
    expected = [NAN if value != value else float(values.count(value)) for value in values]
    assert np.array_equal(got, expected, equal_nan=True)


def test_a_column_without_any_value_is_counted_as_missing() -> None:
    steps = fit_features(np.full((3, 3), NAN), CONTRACT, ("frequency",), None)
    assert np.isnan(steps.extend(np.full((2, 3), NAN))[:, 3:]).all()
    assert steps.extend(np.array([[1.0, 0, 0]]))[0, 3] == 0


def test_the_users_function_receives_numbers_and_texts_by_name() -> None:
    seen: dict[str, list[Any]] = {}

    def own(columns: Columns) -> Columns:
        if len(columns["age"]) == len(ROWS):
            seen.update({name: values.tolist() for name, values in columns.items()})
        return {"old_and_web": np.where(columns["where"] == "web", columns["age"], 0)}

    steps = fitted(own)
    assert steps.feature_names[-1] == "old_and_web"
    assert seen["where"] == ["shop", "web", "web", "web", None]
    assert seen["age"][:3] == [20, 20, 30]
    assert steps.extend(ROWS)[:3, 3].tolist() == [0, 20, 30]


def test_a_frame_is_accepted_as_its_columns() -> None:
    steps = fitted(lambda columns: pd.DataFrame({"double": 2 * columns["age"], 7: columns["age"]}))
    assert steps.feature_names[-2:] == ("double", "7")
    made = steps.extend(ROWS)
    assert np.array_equal(made[:, -2], 2 * made[:, -1], equal_nan=True)
    twice = pd.DataFrame([[1.0, 2.0]] * len(ROWS), columns=["x", "x"])
    with pytest.raises(ConfigError, match="repeats a column's name"):
        fitted(lambda _: twice)


def test_infinite_values_of_user_features_become_missing() -> None:
    def own(columns: Columns) -> Columns:
        return {"up": columns["age"] * np.inf, "down": 1 / (columns["age"] * 0 + np.inf)}

    made = fitted(own).extend(ROWS)[:, 3:]
    assert np.isnan(made[:, 0]).all()
    assert np.nanmax(made[:, 1]) == 0


def fails(_: Columns) -> Columns:
    raise ValueError(f"secret cell {47 * 100 + 11}")


def misses_a_column(columns: Columns) -> Columns:
    return {"x": columns["salary"]}


def writes_into_its_input(columns: Columns) -> Columns:
    columns["age"][:] = 0
    return {"x": columns["age"]}


def filled_by_the_median(columns: Columns) -> Columns:
    age = columns["age"]
    known = age[~np.isnan(age)]
    return {"x": np.where(np.isnan(age), np.median(known) if len(known) else 0.0, age)}


def test_a_row_with_a_missing_value_far_down_is_checked_too() -> None:
    rows = np.vstack([np.tile([20.0, 0, 1], (50, 1)), [[NAN, 1, 0]]])
    with pytest.raises(ConfigError, match="when the other rows change"):
        fit_features(rows, CONTRACT, (), filled_by_the_median)


def test_an_error_does_not_contain_a_value_of_the_table() -> None:
    table = {20.0: 1.0}
    with pytest.raises(ConfigError, match=r"KeyError$") as caught:
        fitted(lambda columns: {"x": np.array([table[value] for value in columns["age"]])})
    assert "30" not in caught.value.message.rpartition(":")[2]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (fails, r"features\(\) failed in line \d+ of .*: ValueError"),
        (misses_a_column, "KeyError: 'salary'"),
        (writes_into_its_input, "ValueError"),
        (lambda columns: [columns], "must return a mapping"),
        (lambda columns: {"x": columns["age"][:2]}, r"has shape \(2,\); expected \(5,\)"),
        (lambda columns: {"x": columns["where"]}, "is not numeric"),
        (lambda columns: {"age": columns["age"]}, "returns age, which is already a feature"),
        (lambda columns: {"x": columns["age"] - columns["age"][0]}, "when the other rows change"),
        (lambda columns: {"x": np.argsort(columns["age"])}, "when the other rows change"),
        (filled_by_the_median, "when the other rows change"),
    ],
)
def test_user_features_that_serving_cannot_reproduce_are_rejected(
    own: FeatureFunction, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        fitted(own)
    assert "4711" not in str(caught.value)


# ---- features(table) --------------------------------------------------------------------------------

WHOLE = Contract(
    (*CONTRACT.columns, Column("code", Role.IGNORED, ColumnType.INTEGER, missing=False)),
    CONTRACT.task,
)
OTHERS = pa.table({"where": ["shop", "web", "web", "web", None], "code": [5, 4, 3, 2, 1]})


def fitted_on_table(own: FeatureFunction) -> Processing:
    return fit_features(ROWS, WHOLE, (), own, others=OTHERS)


def test_a_parameter_named_table_asks_for_all_columns_but_the_target() -> None:
    seen: list[pa.Table] = []

    def own(table: pa.Table) -> Columns:
        seen.append(table)
        return {"code": table["code"], "adult": pc.greater(table["age"], 25)}

    steps = fitted_on_table(own)
    assert steps.takes_table
    assert seen[0].to_pydict() == {
        "age": [20, 20, 30, None, 20],
        "where": ["shop", "web", "web", "web", None],
        "member": [True, False, True, False, True],
        "code": [5, 4, 3, 2, 1],
    }
    added = steps.extend(ROWS, OTHERS)[:, 3:]
    assert np.array_equal(added[:, 0], [5, 4, 3, 2, 1])
    assert np.array_equal(added[:, 1], [0, 0, 1, NAN, 0], equal_nan=True)


def depends_on_other_rows(table: pa.Table) -> Columns:
    return {"x": pc.subtract(table["code"], table["code"][0])}


def of_the_old_form(table: pa.Table) -> Columns:
    return {"x": table["age"].astype(float)}


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (lambda table: {"x": table["spent"]}, 'KeyError: \'Field "spent" does not exist'),
        (depends_on_other_rows, "when the other rows change"),
        (of_the_old_form, "no attribute 'astype'"),
        (lambda table: {"x": table["age"] / 2}, r"failed in line \d+ of .*test_features.py"),
        (lambda table: {"x": table["where"]}, "is not numeric"),
        (lambda table: table, "must return a mapping"),
        (lambda table: {"x": table["age"] == 20}, r"has shape \(\)"),
    ],
)
def test_a_function_that_takes_the_table_wrongly_is_rejected(
    own: FeatureFunction, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        fitted_on_table(own)
    if "failed" in caught.value.message:
        assert "features(columns)" in caught.value.hint


def test_a_stored_model_keeps_the_form_that_it_was_trained_with() -> None:
    def own(table: Any) -> Columns:
        return {"x": table["code"] if isinstance(table, pa.Table) else table["age"] * 2}

    steps = fitted_on_table(own)
    again = Processing.from_payload(steps.payload(), WHOLE, own)
    assert again.extend(ROWS, OTHERS)[:, 3].tolist() == [5, 4, 3, 2, 1]
    older = {name: value for name, value in steps.payload().items() if name != "takes_table"}
    assert Processing.from_payload(older, WHOLE, own).extend(ROWS)[:3, 3].tolist() == [40, 40, 60]


def test_the_example_of_the_documentation_works() -> None:
    page = (Path(__file__).parents[3] / "docs" / "own-code.md").read_text(encoding="utf-8")
    (source,) = [part for part in page.split("```python") if "import pyarrow" in part]
    names: dict[str, Any] = {}
    exec(source.partition("```")[0], names)
    day = dt.date(2024, 1, 1)
    table = {"signed": [day, None], "joined": [day + dt.timedelta(9), day], "cabin": ["C9", "X1"]}
    added = names["features"](pa.table({**table, "fee": [0.0, 9.5]}))
    assert {name: values.to_pylist() for name, values in added.items()} == {
        "days to join": [9, None],
        "on deck C": [True, False],
        "free": [True, False],
    }
