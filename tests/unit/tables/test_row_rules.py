"""Rows of requests, and whole tables, are validated against a contract by the same rules."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmodel.contract.columns import Column, ColumnType, Contract, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ContractViolation, Violation
from lightmodel.tables.check import validate_table
from lightmodel.tables.encode import feature_matrix
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_rules import Block, RowRules, ValidationReport

CONTRACT = Contract(
    (
        Column("id", Role.ID, ColumnType.CATEGORY, missing=True),
        Column("age", Role.FEATURE, ColumnType.INTEGER, missing=False, minimum=18, maximum=80),
        Column("spent", Role.FEATURE, ColumnType.NUMBER, missing=True, minimum=-1.0, maximum=9.5),
        Column("member", Role.FEATURE, ColumnType.BOOLEAN, missing=True),
        Column(
            "where", Role.FEATURE, ColumnType.CATEGORY, missing=False, categories=("shop", "web")
        ),
        Column("target", Role.TARGET, ColumnType.INTEGER, missing=False, minimum=0, maximum=1),
    ),
    Task(TaskKind.BINARY, (0, 1)),
)
RULES = RowRules(CONTRACT)


def block(records: list[dict[str, Any]], *missing: str) -> Block:
    return JsonBlocks(RULES, frozenset(missing)).block(records)


RECORDS = st.fixed_dictionaries(
    {
        "id": st.text(max_size=3),
        "age": st.one_of(st.integers(-100, 200), st.none()),
        "spent": st.one_of(st.floats(-20, 20), st.none()),
        "member": st.one_of(st.booleans(), st.none()),
        "where": st.one_of(st.sampled_from(["shop", "web", "phone"]), st.none()),
    }
)


@settings(max_examples=300)
@given(records=st.lists(RECORDS, min_size=1, max_size=12))
def test_rows_and_tables_are_validated_alike(records: list[dict[str, Any]]) -> None:
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("age", pa.int64()),
            ("spent", pa.float64()),
            ("member", pa.bool_()),
            ("where", pa.string()),
        ]
    )
    table = validate_table(pa.Table.from_pylist(records, schema), CONTRACT, with_target=False)
    rows = block(records)
    assert set(rows.violations) == set(table.violations)
    assert dict(rows.unseen) == table.unseen
    if not table.violations:
        expected = feature_matrix(table.table, CONTRACT)
        assert np.array_equal(rows.features, expected, equal_nan=True)


def test_a_report_sums_the_violations_of_all_blocks_with_request_wide_row_numbers() -> None:
    good = {"id": "a", "age": 30, "spent": None, "member": True, "where": "web"}
    findings = ValidationReport()
    for start in range(3):
        wrong = {**good, "age": "old", "where": "moon"}
        findings.add(block([good] * start + [wrong, wrong, good]))
    assert findings.violations == (
        Violation("age", "type", "is not a number", (1, 2, 5, 6, 10), 6),
    )
    assert findings.unseen == {"where": 6}
    assert findings.rows == 12


def test_na_values_match_however_they_are_written() -> None:
    record = {"age": 30, "member": "?", "where": "web"}
    for spent in (-999, -999.0, "-999", "-999.00", "?", None):
        found = block([{**record, "spent": spent}], "?", "-999")
        assert not found.violations
        assert np.isnan(found.features[0, 1:3]).all()


def test_columns_are_matched_by_name_and_similar_names_are_suggested() -> None:
    plan = RULES.map_columns(("x", "where", "age", "member", "spent"))
    assert plan.extra == ("x",)
    assert plan.places == (0, 0, 0, 2, 1)
    with pytest.raises(ContractViolation) as caught:
        RULES.map_columns(("where", "Age ", "member", "spent", "spent"))
    found = {(one.column, one.rule): one.detail for one in caught.value.violations}
    assert found["age", "absent"].endswith("'Age ' may be meant")
    assert ("spent", "duplicate_column") in found
