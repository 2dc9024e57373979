"""Labelled rows of the prediction log train beside the table, and never test."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lightmodel.config import SplitSection
from lightmodel.contract.columns import ColumnType
from lightmodel.errors import ConfigError, DataError
from lightmodel.tables.row_rules import json_features
from lightmodel.training.feedback import FeedbackCounts, add_feedback, read_logged
from lightmodel.training.preprocess import PreprocessingResult, preprocess
from tests.unit.training.test_preprocess import options, table_of

ROWS = 400
Logged = tuple[str, str, str]


def split_of(data: dict[str, object] | None = None, **columns: Any) -> PreprocessingResult:
    return preprocess(table_of(**columns), options(data), None)


def logged(key: str, label: str = "1", **features: Any) -> Logged:
    return key, label, json.dumps({"x": 0.5, "colour": "red", **features})


def joined(
    split: PreprocessingResult, rows: Sequence[Logged], **section: Any
) -> tuple[list[dict[str, Any]], FeedbackCounts]:
    """Return the rows that were added to the training rows, and the counts."""
    settings = SplitSection.model_validate(section)
    result, counts = add_feedback(split, read_logged(rows, split.contract), settings)
    assert result.test.equals(split.test)
    assert result.train.slice(0, split.train.num_rows).equals(split.train)
    return result.train.slice(split.train.num_rows).to_pylist(), counts


def training_ids(count: int) -> list[str]:
    """Return ids that the split puts among the training rows, as it does with those of a table."""
    split = split_of(id=[f"new{row}" for row in range(ROWS)])
    ids: list[str] = split.train["id"].to_pylist()
    return ids[:count]


def test_a_labelled_row_becomes_a_training_row_in_the_types_of_the_table() -> None:
    notes = ["seldom seen", *["often seen"] * (ROWS - 1)]
    split = split_of({"ignore": ["note"]}, note=notes)
    (key,) = training_ids(1)
    rows, counts = joined(split, [logged(key, "0", x=-0.25)])
    assert rows == [{"id": key, "x": -0.25, "colour": "red", "target": 0, "note": None}]
    assert (counts.used, sum(counts.left_out.values())) == (1, 0)


def test_an_id_of_the_table_is_not_doubled_on_whichever_side_it_is() -> None:
    split = split_of()
    known = [split.train["id"][0].as_py(), split.test["id"][0].as_py()]
    (key,) = training_ids(1)
    rows, counts = joined(split, [logged(one) for one in [*known, key]])
    assert [row["id"] for row in rows] == [key]
    assert str(counts).endswith("left out: 2 are in the table")


def test_ids_are_compared_in_the_type_of_the_table() -> None:
    split = split_of({"id": "id"}, id=np.arange(ROWS) * 7 + 1000)
    ids = ["01007", "1007", "900001", "0900001", "no number"]
    rows, counts = joined(split, [logged(one) for one in ids], test_share=1e-9)
    assert [row["id"] for row in rows] == [900001]
    assert counts.left_out["are in the table"] == 3
    assert counts.left_out["have no id or label of the task"] == 1


def test_a_row_that_the_split_would_test_is_left_out() -> None:
    split = split_of()
    ids = [f"new{row}" for row in range(ROWS)]
    rows, counts = joined(split, [logged(one) for one in ids])
    assert {row["id"] for row in rows} <= set(training_ids(ROWS))
    assert counts.left_out["would be test rows"] == ROWS - len(rows)
    assert 0.2 < counts.left_out["would be test rows"] / ROWS < 0.4
    # Once they are in the table, those that were added are training rows there too.
    grown = pa.concat_tables([table_of(), table_of(id=ids)])
    again = preprocess(grown, options(), None)
    assert {row["id"] for row in rows} <= set(again.train["id"].to_pylist())


@pytest.mark.parametrize(
    "features",
    [
        {"colour": {"unseen": True}},
        {"colour": "mauve"},
        {"colour": None},
        {"x": None},
        {"x": "text"},
        {"x": 1e9},
        {"x": -1e9},
    ],
)
def test_a_row_that_breaks_the_contract_is_left_out(features: dict[str, Any]) -> None:
    good, bad = training_ids(2)
    rows, counts = joined(split_of(), [logged(good), logged(bad, **features)])
    assert [row["id"] for row in rows] == [good]
    assert counts.left_out["break the contract"] == 1


def test_a_row_of_a_model_with_other_features_is_left_out() -> None:
    good, bad = training_ids(2)
    rows, counts = joined(split_of(), [logged(good, more=1), (bad, "1", '{"x": 0.5}')])
    assert [row["id"] for row in rows] == [good]
    assert counts.left_out["break the contract"] == 1


def test_a_label_that_the_task_does_not_know_is_left_out() -> None:
    first, second, third = training_ids(3)
    rows, counts = joined(
        split_of(), [logged(first, "2"), logged(second, "yes"), logged(third, "1")]
    )
    assert [row["id"] for row in rows] == [third]
    assert counts.left_out["have no id or label of the task"] == 2


def test_gaps_are_kept_where_the_table_has_some() -> None:
    xs = [None if row % 5 == 0 else float(row) for row in range(ROWS)]
    (key,) = training_ids(1)
    rows, _ = joined(split_of(x=xs), [logged(key, x=None)])
    assert rows[0]["x"] is None


def test_a_number_is_a_target_of_a_regression() -> None:
    split = split_of(target=np.linspace(0, 5, ROWS))
    assert not split.contract.task.kind.has_classes
    first, second = training_ids(2)
    rows, counts = joined(split, [logged(first, "2.25"), logged(second, "inf")])
    assert [row["target"] for row in rows] == [2.25]
    assert counts.left_out["have no id or label of the task"] == 1


def test_whole_numbers_stay_whole_and_a_fraction_is_no_integer() -> None:
    split = split_of(x=np.arange(ROWS), target=np.arange(ROWS) % 50)
    first, second = training_ids(2)
    rows, counts = joined(split, [logged(first, "7", x=5.0), logged(second, "7", x=5.5)])
    assert [(row["x"], type(row["x"])) for row in rows] == [(5, int)]
    assert counts.left_out["break the contract"] == 1


def test_what_the_service_logs_comes_back_as_it_was_in_the_table() -> None:
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=row % 300) for row in range(ROWS)]
    start = dt.datetime(2026, 1, 1, 8, tzinfo=dt.UTC).replace(tzinfo=None)
    moments = [start + dt.timedelta(minutes=7 * row) for row in range(ROWS)]
    table = table_of(
        day=pa.array(days),
        moment=pa.array(moments, pa.timestamp("us")),
        member=[row % 3 == 0 for row in range(ROWS)],
    )
    split = preprocess(table, options(), None)
    kinds = {column.type for column in split.contract.features}
    assert {ColumnType.DATE, ColumnType.DATETIME, ColumnType.BOOLEAN} <= kinds
    from lightmodel.tables.encode import feature_matrix

    matrix = feature_matrix(split.train, split.contract)
    values = json_features(matrix, split.contract)
    ids = training_ids(5)
    rows = [
        (key, "1", json.dumps({name: column[at] for name, column in values.items()}))
        for at, key in enumerate(ids)
    ]
    added, _ = joined(split, rows)
    names = split.contract.feature_names
    expected = split.train.slice(0, 5).select(names).to_pylist()
    assert [{name: row[name] for name in names} for row in added] == expected


def test_a_table_without_an_id_or_with_texts_is_refused() -> None:
    table = table_of().drop(["id"])
    with pytest.raises(DataError, match="needs an id column"):
        joined(preprocess(table, options({"id": ""}), None), [])
    words = [f"the row number {row} of this table has a text" for row in range(ROWS)]
    split = split_of({"text": ["note"]}, note=words)
    with pytest.raises(DataError, match="texts are not logged, and note"):
        joined(split, [])


@pytest.mark.parametrize("method", ["time:x", "group:colour"])
def test_a_split_by_a_column_is_refused(method: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.feedback cannot be used with split\.method"):
        joined(split_of(), [], method=method)


def test_without_labelled_rows_nothing_changes() -> None:
    rows, counts = joined(split_of(), [])
    assert (rows, counts.used) == ([], 0)
    assert str(counts) == "0 labelled rows of the prediction log are further training rows"
