"""Answered rows as JSON."""

import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.predictions.base import AnsweredRows, encode
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import answered, at, batch


def rows_of(rows: AnsweredRows, rate: float = 1.0) -> list[list[object]]:
    blocks = list(encode(rows, rate))
    heads = [orjson.loads(block.data) for block in blocks]
    assert [len(head["rows"]) for head in heads] == [block.rows for block in blocks]
    return [row for head in heads for row in head["rows"]]


def many(total: int) -> AnsweredRows:
    return answered(
        "r1", [f"v{row}" for row in range(total)], [row / total for row in range(total)]
    )


def test_every_row_is_encoded_in_order_with_its_number() -> None:
    rows = rows_of(many(12_345))
    assert [row[0] for row in rows] == list(range(1, 12_346))
    assert rows[7] == [8, "v7", "no", 7 / 12_345, None]


def test_arrays_are_encoded_like_lists() -> None:
    plain = many(5_000)
    arrays = replace(
        plain,
        ids=np.array(plain.ids),
        probabilities=np.array(plain.probabilities),
        predictions=np.array(plain.predictions),
    )
    assert rows_of(arrays) == rows_of(plain)


def test_features_are_stored_by_name_and_undefined_values_are_null() -> None:
    features = {"age": [30, 40], "spent": [float("nan"), 2.5], "where": ["web", None]}
    rows = rows_of(answered("r1", ["a", "b"], [0.1, 0.2], features=features))
    assert [row[4] for row in rows] == [
        {"age": 30, "spent": None, "where": "web"},
        {"age": 40, "spent": 2.5, "where": None},
    ]


def test_a_block_has_the_time_in_utc_and_the_model_version() -> None:
    (block,) = encode(answered("r1", ["a"], [0.1], time=at(7)))
    head = orjson.loads(block.data)
    assert (head["request"], head["time"]) == ("r1", "2026-01-03T12:00:07.000000Z")
    assert head["version"] == "20260101T000000000000Z-aaaaaa"


def test_columns_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        rows_of(answered("r1", ["a"], [0.1, 0.2]))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.999])
def test_a_sample_has_the_expected_size_and_keeps_the_row_numbers(rate: float) -> None:
    rows = rows_of(many(50_000), rate)
    assert len(rows) == pytest.approx(50_000 * rate, abs=700)
    assert all(row[1] == f"v{row[0] - 1}" for row in rows)  # type: ignore[operator]  # a number


def test_the_sample_depends_on_the_request_id_only() -> None:
    first = [row[0] for row in rows_of(many(1_000), 0.3)]
    assert [row[0] for row in rows_of(many(1_000), 0.3)] == first
    assert [row[0] for row in rows_of(replace(many(1_000), request="r2"), 0.3)] != first


def test_requests_of_one_row_are_sampled_as_well() -> None:
    kept = sum(len(rows_of(answered(f"r{at_}", ["a"], [0.5]), 0.25)) for at_ in range(4_000))
    assert kept == pytest.approx(1_000, abs=150)


@pytest.mark.parametrize("text", ["a\0b", "\\u0000", "\\\0", "\\\\u0000\0"])
def test_a_nul_is_replaced_by_a_character_that_databases_accept(text: str) -> None:
    rows = rows_of(answered("r1", ["a"], [0.1], features={"x": [text]}))
    assert rows[0][4] == {"x": text.replace("\0", "\ufffd")}


@given(
    st.text(), st.text(), st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1), st.booleans())
)
def test_any_answer_is_read_back_unchanged_from_sqlite(key: str, label: str, cell: object) -> None:
    rows = answered("r1", [key], [0.5], predictions=[label], features={label: [cell]})
    with closing(SqliteSink(Path(":memory:"))) as sink:
        sink.write(batch(rows))
        (row,) = sink.rows()
    plain = label.replace("\0", "\ufffd")
    assert row[4] == key.replace("\0", "\ufffd")
    assert orjson.loads(row[5]) == plain
    number = None if isinstance(cell, float) and not math.isfinite(cell) else cell
    assert orjson.loads(row[7]) == {plain: number}
