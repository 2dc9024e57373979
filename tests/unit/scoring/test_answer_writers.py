"""Answers hold the same rows in every format, however they are cut into blocks."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.contract.task import Task, TaskKind, is_answer_name
from lightmodel.scoring.answer_writers import (
    WRITERS,
    CsvWriter,
    JsonLinesWriter,
    JsonWriter,
    MlflowWriter,
    csv_lines,
)
from lightmodel.scoring.predictor import Answers
from lightmodel.tables.media_types import CSV, JSON, JSON_LINES

IDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.integers(-(1 << 63), (1 << 64) - 1),
)


def binary(ids: Sequence[Any] | None, scores: Sequence[float]) -> Answers:
    decided = [score >= 0.5 for score in scores]
    return Answers(ids, decided, np.array(scores), id_name="row", label_names=("false", "true"))


def written(writer: JsonWriter, blocks: Sequence[Answers]) -> bytes:
    for block in blocks:
        writer.add(block)
    return writer.body()


@given(
    rows=st.lists(st.tuples(IDS, st.floats(0, 1)), min_size=1, max_size=12), cut=st.integers(1, 12)
)
def test_all_formats_hold_the_same_rows_in_order(rows: list[tuple[Any, float]], cut: int) -> None:
    parts = [rows[at : at + cut] for at in range(0, len(rows), cut)]
    blocks = [binary([one for one, _ in part], [score for _, score in part]) for part in parts]
    listed = json.loads(written(JsonWriter(), blocks))
    assert [(one["row"], one["probability"]) for one in listed] == rows
    assert [one["prediction"] for one in listed] == [score >= 0.5 for _, score in rows]
    lines = written(JsonLinesWriter(), blocks).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == listed
    text = written(CsvWriter(), blocks).decode()
    header, *cells = csv.reader(io.StringIO(text, newline=""))
    assert header == ["row", "prediction", "probability"]
    assert [(one, label, float(score)) for one, label, score in cells] == [
        (str(one["row"]), str(one["prediction"]).lower(), one["probability"]) for one in listed
    ]


COLUMNS = st.sampled_from(
    [
        st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        st.text('ab,;"\r\n ', max_size=3),
        st.integers(-(1 << 63), (1 << 64) - 1),
        st.none(),
        st.one_of(st.none(), st.text("ab", max_size=2), st.integers()),
    ]
)


@given(data=st.data(), ids=COLUMNS, rows=st.integers(1, 6), named=st.booleans())
def test_csv_is_that_of_pythons_writer(
    data: st.DataObject, ids: "st.SearchStrategy[Any]", rows: int, *, named: bool
) -> None:
    keys = data.draw(st.lists(ids, min_size=rows, max_size=rows))
    labels = data.draw(st.lists(st.sampled_from(['a"', "b", "c,"]), min_size=rows, max_size=rows))
    scores = data.draw(st.lists(st.floats(), min_size=rows, max_size=rows))
    answers = Answers(
        keys if named else None, labels, np.array(scores), None, None, "row", ("a", "b")
    )
    cells = zip(*([keys] if named else []), labels, scores, strict=True)
    expected = csv_lines([*cells])
    header, _, body = written(CsvWriter(), [answers]).partition(b"\n")
    assert header == (b"row," if named else b"") + b"prediction,probability"
    assert body == expected


def test_each_class_has_a_probability() -> None:
    scores = np.array([[0.2, 0.5, 0.3]])
    answers = Answers(None, ["b"], scores, label_names=("a", "b", "c"))
    assert json.loads(written(JsonWriter(), [answers])) == [
        {"prediction": "b", "probability": {"a": 0.2, "b": 0.5, "c": 0.3}}
    ]
    assert written(CsvWriter(), [answers]).decode().splitlines() == [
        "prediction,probability_a,probability_b,probability_c",
        "b,0.2,0.5,0.3",
    ]


def test_a_regression_answer_has_only_the_prediction() -> None:
    answers = Answers([7], [1.5], np.array([1.5]), id_name="row")
    assert json.loads(written(JsonWriter(), [answers])) == [{"row": 7, "prediction": 1.5}]
    assert written(CsvWriter(), [answers]) == b"row,prediction\n7,1.5\n"


def test_contributions_are_a_list_in_json_and_columns_in_csv() -> None:
    contributions = [[{"feature": "age", "value": 0.25}]]
    names = ("false", "true")
    answers = Answers(None, [True], np.array([0.9]), contributions, [-0.5], label_names=names)
    (row,) = json.loads(written(JsonWriter(1), [answers]))
    assert (row["contributions"], row["base_value"]) == (contributions[0], -0.5)
    assert written(CsvWriter(1), [answers]).decode().splitlines() == [
        "prediction,probability,contribution_1_feature,contribution_1_value,base_value",
        "true,0.9,age,0.25,-0.5",
    ]


@pytest.mark.parametrize("labels", [(), ("no", "yes"), ("a", "b", "c")])
@pytest.mark.parametrize("explain", [0, 12])
def test_no_id_may_be_named_like_another_value_of_an_answer(
    labels: tuple[str, ...], explain: int
) -> None:
    scores = np.ones((1, 3)) if len(labels) == 3 else np.ones(1)
    parts = [[{"feature": "age", "value": 0.25}] * 12]
    answers = Answers(None, ["a"], scores, label_names=labels)
    if explain:
        answers = replace(answers, contributions=parts, base_values=[-0.5])
    (row,) = json.loads(written(JsonWriter(explain), [answers]))
    heading = written(CsvWriter(explain), [answers]).decode().splitlines()[0].split(",")
    task = Task(TaskKind.MULTICLASS, labels)
    assert all(is_answer_name(name, task) for name in (*row, *heading))
    assert not is_answer_name("row", task)


def test_mlflows_format_has_the_scores_of_all_blocks() -> None:
    blocks = [binary(None, [0.25, 0.5]), binary(None, [1.0])]
    answers = json.loads(written(MlflowWriter(), blocks))["predictions"]
    assert answers == json.loads(written(JsonWriter(), blocks))
    assert [row["probability"] for row in answers] == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("mimetype", [JSON, CSV, JSON_LINES])
def test_each_media_type_has_its_writer(mimetype: str) -> None:
    assert WRITERS[mimetype].mimetype == mimetype
