"""Rows of requests, and whole tables, are validated against a contract by the same rules."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightmodel.contract.columns import Column, ColumnType, Contract, Dialect, Role
from lightmodel.contract.task import Task, TaskKind
from lightmodel.errors import ContractViolation, Violation
from lightmodel.tables.blocks import Block, ValidationReport
from lightmodel.tables.check import valid_rows, validate_table
from lightmodel.tables.column_rules import TOLERABLE
from lightmodel.tables.csv_blocks import CsvBlocks
from lightmodel.tables.encode import feature_matrix
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_readers import RowReader
from lightmodel.tables.row_rules import RowRules
from lightmodel.tables.table_blocks import table_block
from tests.fakes.reading import arrow_rows, compiled_rows

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


PRICED = Contract(
    (
        Column("price", Role.FEATURE, ColumnType.NUMBER, missing=True, format="amount €#.##0,##"),
        Column("age", Role.FEATURE, ColumnType.INTEGER, missing=False),
    ),
    CONTRACT.task,
)
AMOUNTS = ["€1.234,50", "1.234", "-7", "€ 5,25", "1234.5", "", "n/a", "$5"]
NUMBERS = [1234.5, 1234.0, -7.0, 5.25, 1234.5, None, None, None]


def features_and_faults(found: Block) -> tuple[list[float | None], tuple[Violation, ...]]:
    column = found.features[:, 0].tolist() if found.features.shape[1] else []
    return [None if one != one else one for one in column], found.violations


def read_as_csv(reader: RowReader) -> Block:
    text = "price;age\n" + "".join(f"{one};3\n" for one in AMOUNTS)
    dialect = Dialect(";", decimal=".", na_values=("", "n/a"))
    return next(CsvBlocks(RowRules(PRICED), reader, dialect, 9).read(iter([text.encode()])))


@pytest.mark.compiler
def test_the_compiled_reader_reads_texts_of_a_format_alike() -> None:
    assert features_and_faults(read_as_csv(compiled_rows())) == features_and_faults(
        read_as_csv(arrow_rows)
    )


def test_texts_of_a_format_are_parsed_alike_in_all_forms() -> None:
    rules, fault = RowRules(PRICED), (Violation("price", "type", "is not a number", (8,), 1),)
    records = [{"price": text, "age": 3} for text in AMOUNTS]
    known = JsonBlocks(rules, frozenset(["n/a"])).block(records)
    assert features_and_faults(known) == (NUMBERS, fault)
    assert features_and_faults(read_as_csv(arrow_rows)) == (NUMBERS, fault)
    texts = pa.array([one if one not in {"", "n/a"} else None for one in AMOUNTS])
    table = pa.table({"price": texts, "age": [3] * len(AMOUNTS)})
    whole = table_block(table, rules, {})
    assert whole.violations == fault
    assert features_and_faults(table_block(table.slice(0, 7), rules, {}))[0] == NUMBERS[:7]


def test_numbers_of_a_format_may_be_numbers() -> None:
    rules = RowRules(PRICED)
    cells: list[object] = [1.234, -7, None, "1.234", True]
    records = [{"price": one, "age": 3} for one in cells]
    found, faults = features_and_faults(JsonBlocks(rules, frozenset()).block(records))
    assert found == [1.234, -7.0, None, 1234.0, None]
    assert [one.rows for one in faults] == [(5,)]
    table = pa.table({"price": [1.234, -7.0, None], "age": [3] * 3})
    assert features_and_faults(table_block(table, rules, {}))[0] == found[:3]


def test_an_integer_beyond_all_floats_is_infinite_and_not_a_fault_of_ours() -> None:
    body = b'[{"age": NaN, "spent": 1%s, "member": true, "where": "web"}]' % (b"0" * 400)
    wrong = {(one.column, one.rule) for one in JsonBlocks(RULES, frozenset()).read(body).violations}
    assert ("spent", "infinite") in wrong
    plain = JsonBlocks(RowRules(PRICED), frozenset()).block([{"price": 10**400, "age": -(10**400)}])
    assert [one.rule for one in plain.violations] == ["infinite", "infinite"]


def test_a_format_is_stored_in_the_contract() -> None:
    assert Contract.from_dict(PRICED.to_dict()) == PRICED
    assert "format" not in CONTRACT.to_dict()["columns"][0]


SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("age", pa.int64()),
        ("spent", pa.float64()),
        ("member", pa.bool_()),
        ("where", pa.string()),
    ]
)
TARGETED = SCHEMA.append(pa.field("target", pa.int64()))


@settings(max_examples=200)
@given(
    records=st.lists(RECORDS, min_size=1, max_size=12),
    tolerated=st.sets(st.sampled_from(sorted(TOLERABLE))),
)
def test_tolerated_violations_are_warnings_in_rows_and_tables_alike(
    records: list[dict[str, Any]], tolerated: set[str]
) -> None:
    rules, strict = RowRules(CONTRACT, tolerated=tolerated), block(records)
    of_rows = JsonBlocks(rules, frozenset()).block(records)
    of_table = table_block(pa.Table.from_pylist(records, SCHEMA), rules, {})
    for found in (of_rows, of_table):
        assert {one.rule for one in found.violations}.isdisjoint(tolerated)
        assert {one.rule for one in found.warnings} <= tolerated
        assert {*found.violations, *found.warnings} == {*strict.violations}
        np.testing.assert_array_equal(found.features, strict.features)


@given(
    records=st.lists(RECORDS, min_size=1, max_size=12),
    tolerated=st.sets(st.sampled_from(sorted(TOLERABLE))),
)
def test_valid_rows_are_those_that_break_no_rule_but_tolerated_ones(
    records: list[dict[str, Any]], tolerated: set[str]
) -> None:
    table = pa.Table.from_pylist([{**one, "target": 1} for one in records], TARGETED)
    singly = [
        {one.rule for one in JsonBlocks(RULES, frozenset()).block([record]).violations} <= tolerated
        for record in records
    ]
    assert valid_rows(table, CONTRACT, tolerated).tolist() == singly


def test_a_report_adds_warnings_up_by_column_and_rule() -> None:
    report, rules = ValidationReport(), RowRules(CONTRACT, tolerated=TOLERABLE)
    records: list[dict[str, Any]] = [
        {"age": 5000, "spent": -90.0, "member": True, "where": "web"},
        {"age": None, "spent": None, "member": None, "where": None},
    ]
    for _ in range(3):
        report.add(JsonBlocks(rules, frozenset()).block(records))
    assert report.violations == ()
    assert report.missing == {"age": 3, "where": 3}
    assert report.out_of_range == {"age": 3, "spent": 3}
