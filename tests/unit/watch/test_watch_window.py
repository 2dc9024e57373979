"""The log's recent window, read as the columns that the service logged."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from lightmodel.contract.cells import UNSEEN, Vector
from lightmodel.contract.columns import ColumnType, Contract
from lightmodel.contract.task import Task, TaskKind
from lightmodel.predictions.base import AnsweredRows, encode
from lightmodel.predictions.sqlite import SqliteSink
from lightmodel.tables.row_rules import json_features
from lightmodel.watch.window import Window, WindowColumn, read_window
from tests.fakes.answers import LATER, VERSION
from tests.unit.watch.watch_samples import (
    COLOURS,
    MIXED,
    NOW,
    contract_of,
    feature,
    log_rows,
    mixed_rows,
    scores_of,
    window_of,
)

WEEK_AGO = NOW - timedelta(days=7)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SqliteSink]:
    with closing(SqliteSink(tmp_path / "log.sqlite")) as opened:
        yield opened


def read(sink: SqliteSink, contract: Contract = MIXED, max_rows: int = 10_000) -> Window:
    return read_window(sink, VERSION, contract, WEEK_AGO, max_rows)


def content(column: WindowColumn) -> tuple[object, ...]:
    numbers = None if column.numbers is None else column.numbers.tolist()
    return column.rows, column.missing, column.unseen, numbers, column.counts


def test_logged_features_are_read_as_the_model_saw_them(sink: SqliteSink) -> None:
    rows, scores = mixed_rows(2_300), scores_of(2_300)
    rows[::7, 2] = float(UNSEEN)
    rows[::11, 2] = np.nan
    log_rows(sink, VERSION, scores, json_features(rows, MIXED))
    window, expected = read(sink), window_of(rows, scores)
    assert window.features.keys() == expected.features.keys()
    for name, column in expected.features.items():
        assert content(window.features[name]) == content(column), name
    assert content(window.scores["probability"]) == content(expected.scores["probability"])
    assert (window.rows, window.compared) == (2_300, 2_300)


def test_only_rows_of_the_version_in_the_period_count(sink: SqliteSink) -> None:
    log_rows(sink, VERSION, scores_of(5), request="new")
    log_rows(sink, VERSION, scores_of(7), request="old", time=WEEK_AGO - timedelta(seconds=1))
    log_rows(sink, LATER, scores_of(9), request="other")
    window = read(sink)
    assert (window.rows, window.compared, window.features) == (5, 5, {})
    assert window.since == window.until == "2026-01-10T12:00:00.000000Z"


def test_of_many_rows_one_in_so_many_is_read(sink: SqliteSink) -> None:
    log_rows(sink, VERSION, scores_of(1_000))
    window = read(sink, max_rows=300)
    assert (window.rows, window.compared) == (1_000, 250)


def test_an_empty_log_is_an_empty_window(sink: SqliteSink) -> None:
    assert read(sink) == Window(0)


def log_answers(sink: SqliteSink, predictions: list[object], probabilities: Vector | None) -> None:
    values = None if probabilities is None else probabilities.tolist()
    labels = [{"a": p, "b": 1 - p} for p in values] if values is not None else None
    answered = AnsweredRows("r", NOW, VERSION, None, predictions, labels)
    for rows in encode(answered):
        sink.write(rows)


def test_scores_of_several_classes_and_of_numbers_are_read(sink: SqliteSink) -> None:
    log_answers(sink, ["a", "b"], np.array([0.7, 0.2]))
    classes = read(sink, contract_of(task=Task(TaskKind.MULTICLASS, ("a", "b", "c")))).scores
    assert [content(classes[name])[:4] for name in "abc"] == [
        (2, 0, 0, [0.2, 0.7]), (2, 0, 0, [1 - 0.7, 0.8]), (2, 2, 0, [])
    ]  # fmt: skip
    sink.close()
    sink.path.unlink()
    log_answers(sink, [3.5, 1.25, None], None)
    numbers = read(sink, contract_of(task=Task(TaskKind.REGRESSION))).scores
    assert content(numbers["prediction"]) == (3, 1, 0, [1.25, 3.5], None)


def test_a_log_of_other_features_has_missing_values_but_no_error(sink: SqliteSink) -> None:
    contract = contract_of(
        feature("colour", ColumnType.CATEGORY, COLOURS), feature("x", ColumnType.NUMBER)
    )
    log_rows(sink, VERSION, scores_of(3), {"colour": ["red", 7, None], "z": ["?", 1, 2]})
    features = read(sink, contract).features
    assert content(features["colour"]) == (3, 1, 1, None, {"blue": 0, "green": 0, "red": 1})
    assert content(features["x"]) == (3, 3, 0, [], None)
    sink.close()
    log_rows(sink, VERSION, scores_of(2), {"colour": ["red"] * 2, "x": ["?", 4]}, request="s")
    assert content(read(sink, contract).features["x"]) == (5, 4, 0, [4.0], None)
