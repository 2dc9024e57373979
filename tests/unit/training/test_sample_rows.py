"""Sample rows satisfy the contract, are the same for a seed, and show no row or rare value of the table."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from lightmodel.config import DataSection, SplitSection, TrainSection
from lightmodel.contract.columns import Contract
from lightmodel.tables.encode import json_rows
from lightmodel.tables.json_blocks import JsonBlocks
from lightmodel.tables.row_rules import RowRules
from lightmodel.training.preprocess import PreprocessOptions, preprocess
from lightmodel.training.sample_rows import synthetic_rows

ROWS, SAMPLES = 600, 40
WORDS = ("broken", "late", "missing", "invoice", "please", "refund", "again")


def made_table() -> pa.Table:
    """Return orders, each of which has something of its own in every column."""
    random, rows = np.random.default_rng(3), range(ROWS)
    start = dt.datetime.fromisoformat("2024-01-01T08:00:17")
    amount = random.lognormal(4, 1, ROWS).round(2) + 0.003
    towns = ["Ulm" if row % 3 else f"Village {row}" if row % 60 == 0 else "Bonn" for row in rows]
    notes = [f"{' '.join(random.choice(WORDS, 5))} Person{chr(97 + row % 26)}q" for row in rows]
    return pa.table(
        {
            "order_id": [f"order-{row:05d}-x" for row in rows],
            "amount": amount,
            "pieces": pa.array([None if row % 4 == 0 else row % 3 for row in rows], pa.int64()),
            "ordered": [start + dt.timedelta(seconds=90_001 * row) for row in rows],
            "day": [(start + dt.timedelta(days=row)).date() for row in rows],
            "town": towns,
            "mail": [f"person{row % 90}@mail.example" for row in rows],
            "note": [f"{note}{row}" for row, note in enumerate(notes)],
            "gift": [row % 2 == 0 for row in rows],
            "y": ["yes" if value > 60 else "no" for value in amount],
        }
    )


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return made_table()


@pytest.fixture(scope="module")
def contract(table: pa.Table) -> Contract:
    options = PreprocessOptions(DataSection(target="y"), SplitSection(), TrainSection())
    return preprocess(table, options, None).contract


@pytest.fixture(scope="module")
def samples(table: pa.Table, contract: Contract) -> pa.Table:
    return synthetic_rows(table.drop_columns("y"), contract, SAMPLES, 0)


def test_they_satisfy_the_contract_as_requests_do(samples: pa.Table, contract: Contract) -> None:
    block = JsonBlocks(RowRules(contract), frozenset()).block(json_rows(samples))
    assert not block.violations
    assert not block.warnings
    assert set(block.unseen) <= {"mail"}


def test_a_seed_makes_the_same_rows_and_another_one_others(
    table: pa.Table, contract: Contract, samples: pa.Table
) -> None:
    known = table.drop_columns("y")
    assert synthetic_rows(known, contract, SAMPLES, 0).equals(samples)
    assert not synthetic_rows(known, contract, SAMPLES, 1).equals(samples)


@pytest.mark.parametrize("column", ["order_id", "amount", "ordered", "mail", "note"])
def test_no_value_of_a_single_row_appears(table: pa.Table, samples: pa.Table, column: str) -> None:
    assert not {*table[column].to_pylist()} & {*samples[column].to_pylist()}


def test_values_of_many_rows_appear_as_they_are(samples: pa.Table) -> None:
    assert {*samples["pieces"].to_pylist()} == {None, 0, 1, 2}
    assert {*samples["town"].to_pylist()} == {"Ulm", "Bonn"}
    assert {*samples["gift"].to_pylist()} == {True, False}


def test_persons_are_withheld_and_ids_are_made_up(samples: pa.Table) -> None:
    assert {*samples["mail"].to_pylist()} == {"withheld"}
    assert samples["order_id"].to_pylist()[:2] == ["sample-1", "sample-2"]


def test_texts_are_made_of_words_of_many_rows(samples: pa.Table) -> None:
    texts = samples["note"].to_pylist()
    assert {word for text in texts for word in text.split()} <= {*WORDS}
    assert len({*texts}) > 1


def test_numbers_and_times_are_rounded_and_no_extremes(table: pa.Table, samples: pa.Table) -> None:
    amounts = samples["amount"].to_pylist()
    assert max(amounts) < max(table["amount"].to_pylist())
    assert all(value == round(value) for value in amounts)
    assert all(one.second == 0 for one in samples["ordered"].to_pylist())
    assert {type(one) for one in samples["day"].to_pylist()} == {dt.date}


def test_a_column_in_which_nothing_is_frequent_is_still_valid(contract: Contract) -> None:
    few = made_table().slice(0, 3).drop_columns("y")
    rows = synthetic_rows(few, contract, 5, 0)
    block = JsonBlocks(RowRules(contract), frozenset()).block(json_rows(rows))
    assert not block.violations
    assert {*rows["town"].to_pylist()} == {*rows["note"].to_pylist()} == {"withheld"}
