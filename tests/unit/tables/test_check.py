"""Validation of a table against a contract."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.columns import Contract
from lightmodel.contract.hints import ColumnHints
from lightmodel.contract.inference import infer
from lightmodel.errors import Violation
from lightmodel.tables.check import validate_table
from lightmodel.tables.encode import feature_matrix

TRAINING = pa.table(
    {
        "id": ["a", "b", "c", "d"],
        "age": [17, 30, 45, 90],
        "income": [1.5, None, -2.5, 3.0],
        "colour": ["red", "blue", None, "red"],
        "flag": [True, False, True, True],
        "target": [0, 1, 0, 1],
    }
)


@pytest.fixture
def contract() -> Contract:
    return infer(TRAINING, ColumnHints("target")).contract


def replaced(**columns: list[object]) -> pa.Table:
    return pa.table({**TRAINING.to_pydict(), **columns})


def violations(contract: Contract, table: pa.Table) -> list[Violation]:
    return list(validate_table(table, contract, with_target=False).violations)


def test_the_training_table_fits_its_own_contract(contract: Contract) -> None:
    conformed = validate_table(TRAINING, contract, with_target=True)
    assert conformed.violations == ()
    assert conformed.table.equals(TRAINING)


def test_columns_are_matched_by_name_into_training_order(contract: Contract) -> None:
    shuffled = TRAINING.select(["flag", "colour", "target", "income", "age", "id"])
    conformed = validate_table(shuffled, contract, with_target=True)
    assert conformed.table.column_names == TRAINING.column_names
    expected = feature_matrix(TRAINING, contract)
    np.testing.assert_array_equal(feature_matrix(conformed.table, contract), expected)


def test_id_and_target_may_be_left_out_of_a_request(contract: Contract) -> None:
    request = TRAINING.drop_columns(["id", "target"])
    assert violations(contract, request) == []
    with_target = validate_table(request, contract, with_target=True)
    assert [(item.column, item.rule) for item in with_target.violations] == [("target", "absent")]


def test_extra_columns_are_dropped_and_reported(contract: Contract) -> None:
    conformed = validate_table(replaced(extra=[1, 2, 3, 4]), contract, with_target=True)
    assert conformed.extra == ("extra",)
    assert "extra" not in conformed.table.column_names


def test_all_violations_are_reported_together(contract: Contract) -> None:
    table = replaced(
        age=["17", "old", "5000", "x"],
        income=[math.inf, 1.0, 2.0, 1e9],
        flag=["maybe", None, "true", "0"],
    ).drop_columns(["colour"])
    found = {(item.column, item.rule): item for item in violations(contract, table)}
    assert set(found) == {
        ("colour", "absent"),
        ("age", "type"),
        ("age", "range"),
        ("income", "infinite"),
        ("income", "range"),
        ("flag", "type"),
        ("flag", "missing"),
    }
    assert found["age", "type"].rows == (2, 4)
    assert found["income", "infinite"].rows == (1,)
    assert found["income", "range"].rows == (4,)
    assert found["age", "range"].rows == (3,)
    assert found["flag", "type"].rows == (1,)
    assert found["flag", "missing"].rows == (2,)


def test_an_age_of_5000_is_refused_and_one_a_little_higher_than_seen_is_not(
    contract: Contract,
) -> None:
    found = violations(contract, replaced(age=[5000, -1, 95, 0]))
    assert [(item.rule, item.rows) for item in found] == [("range", (1, 2))]


def test_a_value_may_be_missing_only_where_one_was_in_training(contract: Contract) -> None:
    found = violations(contract, replaced(age=[None, 1, 2, None], income=[None] * 4))
    assert [(item.column, item.rule, item.rows) for item in found] == [("age", "missing", (1, 4))]


def test_five_rows_are_named_and_the_rest_counted(contract: Contract) -> None:
    rows = 9
    table = pa.table({name: [None] * rows for name in TRAINING.column_names})
    (found,) = [item for item in violations(contract, table) if item.column == "age"]
    assert (found.rows, found.total) == ((1, 2, 3, 4, 5), rows)
    assert str(found).endswith("(rows 1, 2, 3, 4, 5, …; 9 in all)")


def test_a_duplicate_column_is_a_violation(contract: Contract) -> None:
    table = TRAINING.append_column("age", pa.array([1, 2, 3, 4]))
    (found,) = violations(contract, table)
    assert (found.column, found.rule) == ("age", "duplicate_column")


def test_an_unseen_category_is_counted_and_scored_as_missing(contract: Contract) -> None:
    conformed = validate_table(
        replaced(colour=["green", "red", None, "pink"]), contract, with_target=True
    )
    assert conformed.violations == ()
    assert conformed.unseen == {"colour": 2}
    codes = feature_matrix(conformed.table, contract)[:, 2]
    np.testing.assert_array_equal(codes, [np.nan, 1, np.nan, np.nan])


def test_whole_numbers_in_a_text_column_are_its_categories() -> None:
    texts = pa.table({"code": ["1", "2", "x", "1"], "target": [0, 1, 0, 1]})
    contract = infer(texts, ColumnHints("target")).contract
    for numbers in ([1, 2, 2, 1], [1.0, 2.0, None, 1.0]):
        table = pa.table({"code": numbers})
        conformed = validate_table(table, contract, with_target=False)
        assert conformed.unseen == {}
        assert conformed.table["code"].to_pylist()[:2] == ["1", "2"]


@given(
    values=st.lists(
        st.one_of(st.none(), st.floats(), st.integers(-(2**60), 2**60), st.text(max_size=5)),
        min_size=1,
        max_size=6,
    )
)
def test_any_values_are_either_a_violation_or_finite_numbers(values: list[object]) -> None:
    contract = infer(TRAINING, ColumnHints("target")).contract
    kinds = {type(value) for value in values if value is not None}
    mixed = len(kinds) > 1
    column = pa.array([str(value) if mixed and value is not None else value for value in values])
    rows = len(values)
    table = pa.table(
        {"age": column, "income": column, "colour": column, "flag": pa.array([True] * rows)}
    )
    conformed = validate_table(table, contract, with_target=False)
    if not conformed.violations:
        assert not np.isinf(feature_matrix(conformed.table, contract)).any()
        assert not np.isnan(feature_matrix(conformed.table, contract)[:, 0]).any()
