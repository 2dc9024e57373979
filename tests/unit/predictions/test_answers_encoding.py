"""Answered rows as JSON."""

import math
from contextlib import closing
from datetime import timedelta, timezone
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.predictions.base import AnsweredRows, Row, encode
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import VERSION, answered, at

TIME = "2026-01-03T12:00:00.000000Z"


def rows_of(rows: AnsweredRows, rate: float = 1.0) -> list[Row]:
    blocks = list(encode(rows, rate))
    assert all(0 < len(block) <= 1_000 for block in blocks if rate == 1)
    return [row for block in blocks for row in block]


def many(total: int) -> AnsweredRows:
    return answered(
        "r1", [f"v{row}" for row in range(total)], [row / total for row in range(total)]
    )


def test_every_row_is_encoded_in_order_with_its_number() -> None:
    rows = rows_of(many(12_345))
    assert [row[1] for row in rows] == list(range(1, 12_346))
    assert rows[7] == ("r1", 8, TIME, VERSION, "v7", '"no"', repr(7 / 12_345), None)


def test_arrays_are_encoded_like_lists() -> None:
    plain = many(5_000)
    arrays = plain._replace(
        ids=np.array(plain.ids),
        probabilities=np.array(plain.probabilities),
        predictions=np.array(plain.predictions),
    )
    assert rows_of(arrays) == rows_of(plain)


def test_features_are_stored_by_name_and_undefined_values_are_null() -> None:
    features = {"age": [30, 40], "spent": [float("nan"), 2.5], "where": ["web", None]}
    rows = rows_of(answered("r1", ["a", "b"], [0.1, 0.2], features=features))
    assert [orjson.loads(row[7] or "") for row in rows] == [
        {"age": 30, "spent": None, "where": "web"},
        {"age": 40, "spent": 2.5, "where": None},
    ]


@pytest.mark.parametrize("microsecond", [0, 1, 120_000, 999_999])
@pytest.mark.parametrize("hours", [0, 2, -11])
def test_times_are_in_utc_and_have_microseconds(microsecond: int, hours: int) -> None:
    time = at(7).replace(microsecond=microsecond)
    local = time.astimezone(timezone(timedelta(hours=hours)))
    ((row,),) = encode(answered("r1", ["a"], [0.1], time=local))
    assert row[2] == f"2026-01-03T12:00:07.{microsecond:06d}Z"


def test_columns_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        rows_of(answered("r1", ["a"], [0.1, 0.2]))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.999])
def test_a_sample_has_the_expected_size_and_keeps_the_row_numbers(rate: float) -> None:
    rows = rows_of(many(50_000), rate)
    assert len(rows) == pytest.approx(50_000 * rate, abs=700)
    assert all(row[4] == f"v{row[1] - 1}" for row in rows)


def test_the_sample_depends_on_the_request_id_only() -> None:
    first = [row[1] for row in rows_of(many(1_000), 0.3)]
    assert [row[1] for row in rows_of(many(1_000), 0.3)] == first
    assert [row[1] for row in rows_of(many(1_000)._replace(request="r2"), 0.3)] != first


def test_requests_of_one_row_are_sampled_as_well() -> None:
    kept = sum(len(rows_of(answered(f"r{at_}", ["a"], [0.5]), 0.25)) for at_ in range(4_000))
    assert kept == pytest.approx(1_000, abs=150)


@pytest.mark.parametrize("text", ["a\0b", "\\u0000", "\\\0", "\\\\u0000\0"])
def test_a_nul_is_replaced_by_a_character_that_databases_accept(text: str) -> None:
    rows = rows_of(answered("r1", ["a"], [0.1], features={"x": [text]}))
    assert orjson.loads(rows[0][7] or "") == {"x": text.replace("\0", "\ufffd")}


@given(
    st.text(), st.text(), st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1), st.booleans())
)
def test_any_answer_is_read_back_unchanged_from_sqlite(key: str, label: str, cell: object) -> None:
    rows = answered("r1", [key], [0.5], predictions=[label], features={label: [cell]})
    with closing(SqliteSink(Path(":memory:"))) as sink:
        sink.write(rows_of(rows))
        (row,) = sink.rows()
    plain = label.replace("\0", "\ufffd")
    assert row[4] == key.replace("\0", "\ufffd")
    assert orjson.loads(row[5]) == plain
    number = None if isinstance(cell, float) and not math.isfinite(cell) else cell
    assert orjson.loads(row[7]) == {plain: number}
